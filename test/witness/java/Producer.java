// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONObject;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.selector.SelectMessageQueueByHash;
import org.apache.rocketmq.common.message.Message;

/**
 * A synchronous producer as a shop would write it. Its one argument is ProduceOptions of options.go as JSON; its
 * standard input has one OutMessage a line. It prints where each was stored, one object a line, and ends with its input
 * or with the first message that the broker did not take.
 */
public final class Producer {
    public static void main(String[] args) {
        Witness.main(args, Producer::run);
    }

    private static void run(JSONObject options) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer(options.getString("group"), Witness.signer(options));
        Witness.configure(producer, options);
        producer.setSendMsgTimeout(Witness.TIMEOUT_MILLIS);
        producer.start();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JSONObject message = JSON.parseObject(line);
            SendResult result = send(producer, options.getString("topic"), message);
            JSONObject out = new JSONObject();
            out.put("id", result.getMsgId());
            out.put("status", result.getSendStatus().name());
            out.put("broker", result.getMessageQueue().getBrokerName());
            out.put("queueID", result.getMessageQueue().getQueueId());
            out.put("queueOffset", result.getQueueOffset());
            System.out.println(out.toJSONString());
        }
        producer.shutdown();
    }

    private static SendResult send(DefaultMQProducer producer, String topic, JSONObject from) throws Exception {
        Message message = new Message(topic, Base64.getDecoder().decode(from.getString("body")));
        if (from.containsKey("keys")) {
            message.setKeys(from.getString("keys"));
        }
        if (from.containsKey("tags")) {
            message.setTags(from.getString("tags"));
        }
        if (from.containsKey("delayLevel")) {
            message.setDelayTimeLevel(from.getIntValue("delayLevel"));
        }
        if (from.containsKey("delayMillis")) {
            message.setDelayTimeMs(from.getLongValue("delayMillis"));
        }
        if (from.containsKey("properties")) {
            from.getJSONObject("properties").forEach((name, value) -> message.putUserProperty(name, value.toString()));
        }
        return from.containsKey("shardingKey")
            ? producer.send(message, new SelectMessageQueueByHash(), from.getString("shardingKey"))
            : producer.send(message);
    }
}
