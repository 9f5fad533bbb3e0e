// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"

	"github.com/orderflow-dev/orderflow/api/worker"
)

func environment(scope worker.Scope) (*cel.Env, error) {
	options := []cel.EnvOption{
		ext.Strings(ext.StringsVersion(5)),
		// The three whose result can be thousands of times larger than what they are given, before its cost is looked at.
		without("replace", "string_replace_string_string", cel.StringType, cel.StringType, cel.StringType),
		without("join", "list_join", cel.ListType(cel.StringType)),
		without("format", "string_format", cel.StringType, cel.ListType(cel.DynType)),
		ext.Math(),
		ext.Encoders(),
		cel.OptionalTypes(),
		cel.CrossTypeNumericComparisons(true),
		cel.ASTValidators(cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals()),
	}
	switch scope {
	case worker.ResponseScope:
		return cel.NewEnv(append(options, responseVariables...)...)
	case worker.QueryScope:
		options = append(options, cel.Variable("key", cel.StringType))
	}
	return cel.NewEnv(append(options, messageVariables...)...)
}

// without takes a function out of a library. It is named by one of its overloads, which yields a string.
func without(function, overload string, arguments ...*cel.Type) cel.EnvOption {
	return cel.Function(function, cel.DisableDeclaration(true), cel.MemberOverload(overload, arguments, cel.StringType))
}
