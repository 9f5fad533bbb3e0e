// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONObject;
import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.remoting.RPCHook;

/** What the witnesses have in common. */
final class Witness {
    /** How long a call may take: RocketMQ's 3 s are too short for a client's first ones on a busy machine. */
    static final int TIMEOUT_MILLIS = 60_000;

    interface Main {
        void run(JSONObject options) throws Exception;
    }

    /** Runs a witness with its options and ends the process, whatever threads the client leaves behind. */
    static void main(String[] args, Main main) {
        try {
            main.run(JSON.parseObject(args[0]));
            System.exit(0);
        } catch (Exception e) {
            e.printStackTrace();
            System.exit(1);
        }
    }

    /** Says where the client connects, and how patiently. */
    static void configure(ClientConfig client, JSONObject options) {
        client.setNamesrvAddr(options.getString("nameServer"));
        client.setMqClientApiTimeout(TIMEOUT_MILLIS);
    }

    /** Returns what signs the client's requests, or null without an access key. */
    static RPCHook signer(JSONObject options) {
        return options.containsKey("accessKey")
            ? new AclClientRPCHook(new SessionCredentials(options.getString("accessKey"), options.getString("secretKey")))
            : null;
    }

    private Witness() {
    }
}
