package compiler

import (
	"errors"
	"fmt"

	"github.com/google/cel-go/cel"

	"github.com/mcpauth/mcpauth/catalog"
)

const (
	// maxConditionLength bounds the text of a condition, in characters.
	maxConditionLength = 2048
	// maxConditionCost bounds one evaluation, in CEL's units: a step costs one, a text
	// that is looked through one for every ten bytes.
	maxConditionCost = 20_000
)

// conditions compiles CEL expressions over the same variables, each text once.
// It is used by one goroutine; the programs are safe for concurrent use.
type conditions struct {
	variables []cel.EnvOption
	env       *cel.Env // made when it is first needed
	known     map[string]knownCondition
}

type knownCondition struct {
	program cel.Program
	err     error
}

// grantConditions are rules over who would be granted a scope. The parts of a user
// are variables of their own, so that a misspelt one does not compile.
func grantConditions() *conditions {
	return newConditions(
		cel.Variable("user.subject", cel.StringType),
		cel.Variable("user.email", cel.StringType),
		cel.Variable("user.groups", cel.ListType(cel.StringType)),
		cel.Variable("user.organization", cel.StringType),
		cel.Variable("user.provider", cel.StringType),
		cel.Variable("client.id", cel.StringType),
		cel.Variable("grantType", cel.StringType),
	)
}

// assertionConditions are rules over the claims of an assertion.
func assertionConditions() *conditions {
	return newConditions(cel.Variable("claims", cel.MapType(cel.StringType, cel.DynType)))
}

func newConditions(variables ...cel.EnvOption) *conditions {
	return &conditions{variables: variables, known: make(map[string]knownCondition)}
}

// grantCondition compiles a rule over a grantee; an empty text is none.
func (c *compilation) grantCondition(text string) (func(catalog.Grantee) bool, error) {
	if text == "" {
		return nil, nil
	}
	program, err := c.overGrantees.program(text)
	if err != nil {
		return nil, err
	}
	return func(g catalog.Grantee) bool {
		return holds(program, map[string]any{
			"user.subject": g.Subject, "user.email": g.Email, "user.groups": g.Groups,
			"user.organization": g.Organization, "user.provider": g.Provider,
			"client.id": g.ClientID, "grantType": g.GrantType,
		})
	}, nil
}

// assertionCondition compiles a rule over claims; an empty text is none.
func (c *compilation) assertionCondition(text string) (func(map[string]any) bool, error) {
	if text == "" {
		return nil, nil
	}
	program, err := c.overClaims.program(text)
	if err != nil {
		return nil, err
	}
	return func(claims map[string]any) bool { return holds(program, map[string]any{"claims": claims}) }, nil
}

// holds evaluates a rule. One that fails, as at an absent claim or at the limit of
// its cost, does not hold.
func holds(program cel.Program, variables map[string]any) bool {
	value, _, err := program.Eval(variables)
	if err != nil {
		return false
	}
	held, ok := value.Value().(bool)
	return ok && held
}

// program says why a text is no condition in words that fit behind "condition".
func (c *conditions) program(text string) (cel.Program, error) {
	if known, ok := c.known[text]; ok {
		return known.program, known.err
	}
	program, err := c.compile(text)
	c.known[text] = knownCondition{program, err}
	return program, err
}

func (c *conditions) compile(text string) (cel.Program, error) {
	if c.env == nil {
		env, err := newEnvironment(c.variables)
		if err != nil {
			return nil, fmt.Errorf("cannot be read: %w", err)
		}
		c.env = env
	}
	ast, issues := c.env.Compile(text)
	if issues.Err() != nil {
		first := issues.Errors()[0]
		return nil, fmt.Errorf("does not compile: %s (line %d, column %d)", first.Message, first.Location.Line(), first.Location.Column()+1)
	}
	if !ast.OutputType().IsExactType(cel.BoolType) {
		return nil, errors.New("is not true or false: make it a comparison")
	}
	program, err := c.env.Program(ast, cel.CostLimit(maxConditionCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, fmt.Errorf("does not compile: %w", err)
	}
	return program, nil
}

// newEnvironment has the functions of the language itself and the macros that
// only look: those that build lists could make large ones out of small texts.
func newEnvironment(variables []cel.EnvOption) (*cel.Env, error) {
	options := append([]cel.EnvOption{
		cel.StdLib(),
		cel.ClearMacros(),
		cel.Macros(cel.HasMacro, cel.AllMacro, cel.ExistsMacro, cel.ExistsOneMacro),
		cel.CrossTypeNumericComparisons(true), // numbers in JSON are all of one type
		cel.ParserExpressionSizeLimit(maxConditionLength),
	}, variables...)
	return cel.NewCustomEnv(options...)
}
