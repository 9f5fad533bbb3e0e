// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// Broker is one master. Its state is guarded by the cluster's lock.
type Broker struct {
	endpoint
	id      string
	stopped bool
	topics  map[string]*topic
	groups  map[string]rocketmq.GroupConfig
	changes int // of groups
	offsets map[rocketmq.GroupTopic]map[int]int64
	resets  map[reset]int64
	locks   map[lockKey]lock
	members map[string][]member // by group
	// producers are by group too.
	producers map[string][]producer
	log       map[int64]*rocketmq.Message
	halves    map[int64]*half // by where they are stored
	physical  int64           // where the next message is stored
	delivered map[int]int64   // how many messages of each delay level came
}

func newBroker(c *Cluster, id string) *Broker {
	b := &Broker{
		endpoint:  endpoint{cluster: c},
		id:        id,
		topics:    map[string]*topic{},
		groups:    map[string]rocketmq.GroupConfig{rocketmq.AdminGroup: rocketmq.NewGroupConfig(rocketmq.AdminGroup)},
		offsets:   map[rocketmq.GroupTopic]map[int]int64{},
		resets:    map[reset]int64{},
		log:       map[int64]*rocketmq.Message{},
		delivered: map[int]int64{},
		halves:    map[int64]*half{},
	}
	b.forget()
	return b
}

// forget empties what a broker keeps in memory only.
func (b *Broker) forget() {
	b.locks, b.members, b.producers = map[lockKey]lock{}, map[string][]member{}, map[string][]producer{}
}

// Name is the broker's name.
func (b *Broker) Name() string { return b.id }

// Addr is the broker's address.
func (b *Broker) Addr() string { return b.addr }

// Stop ends the broker's connections and lets nobody connect.
func (b *Broker) Stop() {
	b.cluster.mu.Lock()
	b.stopped = true
	b.forget()
	b.cluster.mu.Unlock()
	b.shut()
	b.cluster.Cut(b.id)
}

// Start lets a stopped broker serve again, with its topics, groups, offsets and
// messages, without locks and members.
func (b *Broker) Start() error {
	b.cluster.mu.Lock()
	b.stopped = false
	b.cluster.mu.Unlock()
	return b.listen(b)
}

// storeHost is the address in message ids.
func (b *Broker) storeHost() netip.AddrPort {
	addr, _ := netip.ParseAddrPort(b.addr) // the fake's own addresses parse
	return addr
}

func (b *Broker) name() string { return b.id }

// call is a request with what its handler needs.
type call struct {
	*rocketmq.Command
	session *session
}

func (q call) int(field string) int {
	n, _ := strconv.Atoi(q.Fields.Get(field)) // like the real one's default: 0
	return n
}

func (q call) int64(field string) int64 {
	n, _ := strconv.ParseInt(q.Fields.Get(field), 10, 64)
	return n
}

func (b *Broker) handle(s *session, req *rocketmq.Command) answer {
	q := call{req, s}
	if a := b.verify(req); a.code != rocketmq.CodeOK {
		return a
	}
	switch op := rocketmq.Op(req.Code); op { // these wait, and take the lock themselves
	case rocketmq.OpPull:
		return b.pull(q)
	case rocketmq.OpRunningInfo:
		return b.runningInfo(q)
	default:
		handle, ok := handlers[op]
		if !ok {
			return refuse(rocketmq.CodeNotSupported, " request type %d not supported", req.Code)
		}
		b.cluster.mu.Lock()
		defer b.cluster.mu.Unlock()
		return handle(b, q)
	}
}

var handlers = map[rocketmq.Op]func(*Broker, call) answer{
	rocketmq.OpCheckSubscription: (*Broker).checkSubscription,
	rocketmq.OpPutTopic:          (*Broker).putTopic,
	rocketmq.OpTopicConfig:       (*Broker).topicConfig,
	rocketmq.OpDeleteTopic:       (*Broker).deleteTopic,
	rocketmq.OpTopicStats:        (*Broker).topicStats,
	rocketmq.OpPutGroup:          (*Broker).putGroup,
	rocketmq.OpGroupConfig:       (*Broker).groupConfig,
	rocketmq.OpAllGroups:         (*Broker).allGroups,
	rocketmq.OpDeleteGroup:       (*Broker).deleteGroup,
	rocketmq.OpBrokerConfig:      (*Broker).config,
	rocketmq.OpBrokerRuntime:     (*Broker).runtime,
	rocketmq.OpQueryOffset:       (*Broker).queryOffset,
	rocketmq.OpCommitOffset:      (*Broker).commitOffset,
	rocketmq.OpMaxOffset:         (*Broker).maxOffset,
	rocketmq.OpMinOffset:         (*Broker).minOffset,
	rocketmq.OpSearchOffset:      (*Broker).searchOffset,
	rocketmq.OpAllOffsets:        (*Broker).allOffsets,
	rocketmq.OpDelayOffsets:      (*Broker).delayOffsets,
	opResetOffset:                (*Broker).resetOffset,
	rocketmq.OpConsumeStats:      (*Broker).consumeStats,
	rocketmq.OpLock:              (*Broker).lock,
	rocketmq.OpUnlock:            (*Broker).unlock,
	rocketmq.OpHeartbeat:         (*Broker).heartbeat,
	rocketmq.OpUnregister:        (*Broker).unregister,
	rocketmq.OpMembers:           (*Broker).listMembers,
	rocketmq.OpConnections:       (*Broker).connections,
	rocketmq.OpSend:              (*Broker).send,
	rocketmq.OpSendBatch:         (*Broker).sendBatch,
	rocketmq.OpSendBack:          (*Broker).sendBack,
	rocketmq.OpEndTransaction:    (*Broker).endTransaction,
}

// verify checks the signature, if the cluster wants one.
func (b *Broker) verify(req *rocketmq.Command) answer {
	cred := b.cluster.cfg.Credentials
	if cred.AccessKey == "" {
		return answer{}
	}
	if req.Fields.Get("AccessKey") != cred.AccessKey {
		return refuse(rocketmq.CodeNoPermission, "username cannot be null.")
	}
	fields := slices.Clone(req.Fields)
	slices.SortFunc(fields, func(a, b rocketmq.Field) int { return strings.Compare(a.Name, b.Name) })
	mac := hmac.New(sha1.New, []byte(cred.SecretKey))
	for _, f := range fields {
		if f.Name != "Signature" {
			mac.Write([]byte(f.Value))
		}
	}
	mac.Write(req.Body)
	if req.Fields.Get("Signature") != base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
		return refuse(rocketmq.CodeNoPermission, "check signature failed.")
	}
	return answer{}
}

func (b *Broker) config(call) answer {
	properties := map[string]string{
		"brokerClusterName":                 clusterName,
		"brokerName":                        b.id,
		"brokerId":                          "0",
		"autoCreateTopicEnable":             "false",
		"autoCreateSubscriptionGroup":       "false",
		"enablePropertyFilter":              "false",
		"timerWheelEnable":                  "true",
		"authenticationEnabled":             fmt.Sprint(b.cluster.cfg.Credentials.AccessKey != ""),
		"fileReservedTime":                  "72",
		"deleteWhen":                        "04",
		"diskMaxUsedSpaceRatio":             "75",
		"maxMessageSize":                    "4194304",
		"maxTransferCountOnMessageInMemory": strconv.Itoa(b.cluster.cfg.MaxPull),
		"messageDelayLevel":                 delayLevels(b.cluster.cfg.DelayLevels),
	}
	for name, value := range b.cluster.cfg.Properties {
		properties[name] = value
	}
	var body strings.Builder
	for name, value := range properties {
		fmt.Fprintf(&body, "%s=%s\n", name, value)
	}
	return answer{body: []byte(body.String())}
}

// delayLevels writes the levels as brokers do: "1s 5s 1m 2h".
func delayLevels(levels []time.Duration) string {
	var words []string
	for _, d := range levels {
		switch {
		case d%time.Hour == 0:
			words = append(words, fmt.Sprintf("%dh", d/time.Hour))
		case d%time.Minute == 0:
			words = append(words, fmt.Sprintf("%dm", d/time.Minute))
		default:
			words = append(words, fmt.Sprintf("%ds", d/time.Second))
		}
	}
	return strings.Join(words, " ")
}

func (b *Broker) runtime(call) answer {
	return answerJSON(map[string]map[string]string{"table": {
		"brokerVersionDesc":  "V5_5_0",
		"brokerVersion":      strconv.Itoa(version),
		"commitLogDiskRatio": "0.42",
		"bootTimestamp":      strconv.FormatInt(time.Now().UnixMilli(), 10),
	}})
}
