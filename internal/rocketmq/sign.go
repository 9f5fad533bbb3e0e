// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the protocol's algorithm, not a choice
	"encoding/base64"
	"hash"
	"slices"
)

// Credentials sign requests (ACL). The zero value leaves them unsigned.
type Credentials struct {
	AccessKey string
	SecretKey string
	// SecurityToken comes with temporary credentials; empty without.
	SecurityToken string
}

// signer keeps the state of one secret's HMAC between requests.
type signer struct {
	secret  string
	mac     hash.Hash
	content []byte
	sum     []byte
}

// sign returns a copy of fields with the access key, the token and the
// signature: base64(HMAC-SHA1(secret, the values in the order of their names,
// then the body)).
func (s *signer) sign(cred Credentials, fields Fields, body []byte) Fields {
	if s.mac == nil || s.secret != cred.SecretKey {
		s.secret, s.mac = cred.SecretKey, hmac.New(sha1.New, []byte(cred.SecretKey))
	}
	signed := make(Fields, 0, len(fields)+3)
	signed = append(append(signed, fields...), Field{"AccessKey", cred.AccessKey})
	if cred.SecurityToken != "" {
		signed = append(signed, Field{"SecurityToken", cred.SecurityToken})
	}
	slices.SortStableFunc(signed, func(a, b Field) int { return cmp.Compare(a.Name, b.Name) })
	s.content = s.content[:0]
	for _, f := range signed {
		s.content = append(s.content, f.Value...)
	}
	s.mac.Reset()
	s.mac.Write(s.content)
	s.mac.Write(body)
	s.sum = s.mac.Sum(s.sum[:0])
	return append(signed, Field{"Signature", base64.StdEncoding.EncodeToString(s.sum)})
}
