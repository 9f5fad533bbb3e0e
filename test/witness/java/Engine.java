// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONObject;
import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * The peer of benchmarks: a push consumer with an empty handler, or, with "url", one that calls a third party by java.net.http for every order. Its one argument is
 * EngineOptions of engine.go as JSON. Once warm-up and measured messages are handled it prints what the measured ones took. It ends with its input.
 */
public final class Engine {
    private static final AtomicLong HANDLED = new AtomicLong();
    private static volatile long begun;
    private static volatile long cpu;

    public static void main(String[] args) {
        Witness.main(args, Engine::run);
    }

    private static void run(JSONObject options) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(options.getString("group"), null, new AllocateMessageQueueAveragely());
        Witness.configure(consumer, options);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setConsumeThreadMin(options.getIntValue("concurrency"));
        consumer.setConsumeThreadMax(options.getIntValue("concurrency"));
        consumer.setConsumeMessageBatchMaxSize(options.getIntValue("batch"));
        consumer.setPullBatchSize(options.getIntValue("pull"));
        if (options.containsKey("ahead")) {
            consumer.setPullThresholdForQueue(options.getIntValue("ahead"));
            consumer.setConsumeConcurrentlyMaxSpan(options.getIntValue("ahead"));
        }
        consumer.subscribe(options.getString("topic"), "*");
        long warm = options.getLongValue("warm");
        long measure = options.getLongValue("measure");
        Handler handler = options.containsKey("url") ? new Caller(options.getString("url")) : message -> true;
        if (options.getBooleanValue("orderly")) {
            consumer.registerMessageListener((MessageListenerOrderly) (messages, context) ->
                handle(messages, handler, warm, measure) ? ConsumeOrderlyStatus.SUCCESS : ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT);
        } else {
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) ->
                handle(messages, handler, warm, measure) ? ConsumeConcurrentlyStatus.CONSUME_SUCCESS : ConsumeConcurrentlyStatus.RECONSUME_LATER);
        }
        consumer.start();
        while (System.in.read() >= 0) {
            // nobody writes: what counts is the end
        }
        consumer.shutdown();
    }

    private static boolean handle(List<MessageExt> messages, Handler handler, long warm, long measure) {
        for (MessageExt message : messages) {
            if (!handler.handle(message)) {
                return false;
            }
            long n = HANDLED.incrementAndGet();
            if (n == warm) {
                cpu = cpuNanos();
                begun = System.nanoTime();
            } else if (n == warm + measure) {
                long took = System.nanoTime() - begun;
                System.out.println("{\"count\":" + measure + ",\"tookNanos\":" + took + ",\"cpuNanos\":" + (cpuNanos() - cpu) + "}");
                System.out.flush();
            }
        }
        return true;
    }

    private static long cpuNanos() {
        return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    }

    interface Handler {
        boolean handle(MessageExt message);
    }

    /** Does for an order what the Push handler does. */
    private static final class Caller implements Handler {
        private final HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        private final URI uri;

        Caller(String url) {
            uri = URI.create(url);
        }

        @Override
        public boolean handle(MessageExt message) {
            try {
                JSONObject order = JSON.parseObject(message.getBody());
                JSONObject parameters = new JSONObject();
                parameters.put("orderId", order.getString("id"));
                JSONObject body = new JSONObject();
                body.put("templateId", "t");
                body.put("to", order.getString("phone"));
                body.put("parameters", parameters);
                HttpRequest request = HttpRequest.newBuilder(uri).header("Content-Type", "application/json")
                    .header("Idempotency-Key", message.getMsgId()).POST(HttpRequest.BodyPublishers.ofByteArray(body.toString().getBytes())).build();
                HttpResponse<byte[]> response = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
                return response.statusCode() == 200 && "OK".equals(JSON.parseObject(response.body()).getString("code"));
            } catch (Exception e) {
                return false;
            }
        }
    }
}
