// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

import com.alibaba.fastjson2.JSONObject;
import java.util.Base64;
import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * A push consumer as a shop would write it. Its one argument is ConsumeOptions of options.go as JSON. Once it has
 * started it prints an empty object, then one object a line for every message. It leaves the group when its standard
 * input ends, which also happens when its parent dies.
 */
public final class Consumer {
    public static void main(String[] args) {
        Witness.main(args, Consumer::run);
    }

    private static void run(JSONObject options) throws Exception {
        DefaultMQPushConsumer consumer =
            new DefaultMQPushConsumer(options.getString("group"), Witness.signer(options), new AllocateMessageQueueAveragely());
        Witness.configure(consumer, options);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        if (options.containsKey("maxReconsumeTimes")) {
            consumer.setMaxReconsumeTimes(options.getIntValue("maxReconsumeTimes"));
        }
        String topic = options.getString("topic");
        if (options.containsKey("sql")) {
            consumer.subscribe(topic, MessageSelector.bySql(options.getString("sql")));
        } else {
            consumer.subscribe(topic, options.getString("tags"));
        }
        int failures = options.getIntValue("failures");
        if (options.getBooleanValue("orderly")) {
            consumer.registerMessageListener((MessageListenerOrderly) (messages, context) ->
                print(messages) < failures
                    ? ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT : ConsumeOrderlyStatus.SUCCESS);
        } else {
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) ->
                print(messages) < failures
                    ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS);
        }
        consumer.start();
        line("{}");
        while (System.in.read() >= 0) {
            // nobody writes: what counts is the end
        }
        consumer.shutdown();
    }

    /** Prints the messages, of which there is one unless the batch size is changed, and says how often it was tried. */
    private static int print(List<MessageExt> messages) {
        for (MessageExt message : messages) {
            JSONObject out = new JSONObject();
            out.put("id", message.getMsgId());
            out.put("topic", message.getTopic());
            out.put("keys", message.getKeys());
            out.put("tags", message.getTags());
            out.put("body", Base64.getEncoder().encodeToString(message.getBody()));
            out.put("queueID", message.getQueueId());
            out.put("queueOffset", message.getQueueOffset());
            out.put("reconsumeTimes", message.getReconsumeTimes());
            out.put("bornMillis", message.getBornTimestamp());
            out.put("storedMillis", message.getStoreTimestamp());
            out.put("properties", message.getProperties());
            line(out.toJSONString());
        }
        return messages.get(0).getReconsumeTimes();
    }

    private static synchronized void line(String text) {
        System.out.println(text);
        System.out.flush();
    }
}
