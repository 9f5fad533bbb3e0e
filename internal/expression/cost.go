// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// Bounds of an expression.
const (
	// MaxCost is in CEL's units of about 100 ns: a tenth of a second. It bounds both what Compile estimates and what an evaluation uses.
	MaxCost = 1_000_000
	// assumedSize is what Compile assumes of an order: so many entries of each list and map, so many characters of each string.
	assumedSize = 1000
	// interruptEvery is after how many steps of a loop evaluation looks whether its context has ended.
	interruptEvery = 100
	// bytesPerUnit of cost, where a text is read or copied.
	bytesPerUnit = 10
)

// estimate tells Compile how large what it cannot see is assumed to be.
type estimate struct{}

func (estimate) EstimateSize(checker.AstNode) *checker.SizeEstimate {
	return &checker.SizeEstimate{Min: 0, Max: assumedSize}
}

func (estimate) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}

// actual is what calls cost during evaluation, where CEL itself counts them as 1: the types of an order's fields are known only then, and with them
// which overload of an operator is meant.
type actual struct{}

func (actual) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	switch function {
	case operators.Equals, operators.NotEquals, operators.In, operators.OldIn:
		return weigh(args, MaxDepth)
	case operators.Add, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return weigh(args, 0) // lists are added without a look at them
	}
	return nil
}

// weigh is the cost of reading values down to a depth.
func weigh(values []ref.Val, depth int) *uint64 {
	cost := uint64(1)
	for _, v := range values {
		add(v, depth, &cost)
	}
	return &cost
}

func add(v ref.Val, depth int, cost *uint64) {
	*cost++
	switch v := v.(type) {
	case types.String:
		*cost += uint64(len(v) / bytesPerUnit)
	case types.Bytes:
		*cost += uint64(len(v) / bytesPerUnit)
	case traits.Mapper:
		for it := v.Iterator(); depth > 0 && *cost <= MaxCost && it.HasNext() == types.True; {
			add(v.Get(it.Next()), depth-1, cost)
		}
	case traits.Lister:
		for it := v.Iterator(); depth > 0 && *cost <= MaxCost && it.HasNext() == types.True; {
			add(it.Next(), depth-1, cost)
		}
	}
}
