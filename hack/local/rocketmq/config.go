// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// nameServerConfig is the name server's configuration.
func nameServerConfig(o Options) map[string]string {
	return map[string]string{
		"listenPort":   strconv.Itoa(o.NameServerPort),
		"bindAddress":  o.Host,
		"kvConfigPath": filepath.Join(o.nodeDir(nameServer), "kvConfig.json"),
	}
}

// brokerConfig is a broker's configuration.
func brokerConfig(o Options, b Broker) (map[string]string, error) {
	config := map[string]string{
		"brokerClusterName":           ClusterName,
		"brokerName":                  b.Name,
		"brokerId":                    "0",
		"brokerIP1":                   o.Host,
		"bindAddress":                 o.Host,
		"listenPort":                  strconv.Itoa(b.Port),
		"namesrvAddr":                 net.JoinHostPort(o.Host, strconv.Itoa(o.NameServerPort)),
		"storePathRootDir":            filepath.Join(o.nodeDir(b.Name), "store"),
		"autoCreateTopicEnable":       strconv.FormatBool(o.AutoCreateTopic),
		"autoCreateSubscriptionGroup": strconv.FormatBool(o.AutoCreateTopic),
		"enablePropertyFilter":        strconv.FormatBool(o.EnablePropertyFilter),
		// A broker that boots before the name server registers again after this many ms; 10 s is the least it takes.
		"registerNameServerPeriod": "10000",
		// Small files: the defaults reserve 1 GiB for the log and 420 MB for the index of a single message.
		"mappedFileSizeCommitLog":    strconv.Itoa(64 << 20),
		"mappedFileSizeConsumeQueue": strconv.Itoa(20 * 20000), // 20 bytes a message
		"maxHashSlotNum":             "50000",
		"maxIndexNum":                "200000",
		"flushDiskType":              "ASYNC_FLUSH",
		// Brokers refuse messages on a disk fuller than this; a developer's disk may well be. 95 is the highest they take.
		"diskMaxUsedSpaceRatio": "95",
		// Nor do they take what waited longer than this for a thread, in ms, or any while one takes longer than that to be stored; 200 and 1000 by default, which a machine that
		// compiles does not always give.
		"waitTimeMillsInSendQueue":    "5000",
		"osPageCacheBusyTimeOutMills": "10000",
	}
	if o.ACL != nil {
		if err := addACL(config, *o.ACL); err != nil {
			return nil, err
		}
	}
	maps.Copy(config, b.Properties)
	return config, nil
}

// addACL makes the broker check every request against users and rules of its own, with admin as first user and as the
// identity of the broker's own client.
func addACL(config map[string]string, admin User) error {
	user, err := json.Marshal(admin)
	if err != nil {
		return fmt.Errorf("encode the ACL user: %w", err)
	}
	credentials, err := json.Marshal(map[string]string{"accessKey": admin.Name, "secretKey": admin.Password})
	if err != nil {
		return fmt.Errorf("encode the ACL credentials: %w", err)
	}
	maps.Copy(config, map[string]string{
		"authenticationEnabled":                "true",
		"authenticationProvider":               "org.apache.rocketmq.auth.authentication.provider.DefaultAuthenticationProvider",
		"authenticationMetadataProvider":       "org.apache.rocketmq.auth.authentication.provider.LocalAuthenticationMetadataProvider",
		"initAuthenticationUser":               string(user),
		"innerClientAuthenticationCredentials": string(credentials),
		"authorizationEnabled":                 "true",
		"authorizationProvider":                "org.apache.rocketmq.auth.authorization.provider.DefaultAuthorizationProvider",
		"authorizationMetadataProvider":        "org.apache.rocketmq.auth.authorization.provider.LocalAuthorizationMetadataProvider",
	})
	return nil
}

// properties writes a Java properties file, in the order of its keys.
func properties(config map[string]string) []byte {
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	var out strings.Builder
	for _, key := range slices.Sorted(maps.Keys(config)) {
		fmt.Fprintf(&out, "%s=%s\n", key, escape.Replace(config[key]))
	}
	return []byte(out.String())
}
