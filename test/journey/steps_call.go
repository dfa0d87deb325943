package journey

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Tools of the todo server: the first needs todo:read, the second todo:write.
const (
	toolList   = "list_tasks"
	toolCreate = "create_task"
)

// task is what the todo server's tools answer, as far as the story needs it.
type task struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Owner struct {
		Subject string `json:"subject"`
		Email   string `json:"email"`
	} `json:"owner"`
}

// listTools is step 6. The list may be filtered by scope.
func (s *story) listTools(ctx context.Context) (string, error) {
	result, err := s.client.session.ListTools(ctx, nil)
	if err != nil {
		return "", expected("a list of tools", "", err)
	}
	var names []string
	for _, tool := range result.Tools {
		names = append(names, tool.Name)
	}
	s.out.say("tools", list(names))
	if !slices.Contains(names, toolList) {
		return "", expected(toolList+" among the tools", list(names), nil)
	}
	return fmt.Sprintf("the server offers %d tools", len(names)), nil
}

// callAllowed is step 7.
func (s *story) callAllowed(ctx context.Context) (string, error) {
	tasks, err := s.tasks(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d tasks", len(tasks)), nil
}

// callRefused is step 8: RFC 6750 §3.1, insufficient_scope. The SDK would ask
// the user at once; the user says no, and then nothing may have happened.
func (s *story) callRefused(ctx context.Context) (string, error) {
	s.client.consents = false
	defer func() { s.client.consents = true }()
	s.unwanted = "unwanted " + rand.Text()
	mark := s.client.watch.mark()
	_, err := s.create(ctx, s.unwanted)
	e, refused := s.client.watch.last(mark, s.calls(toolCreate))
	switch {
	case err == nil:
		return "", expected("a refusal", toolCreate+" was carried out", nil)
	case !refused || e.status != http.StatusForbidden:
		return "", expected("403 Forbidden for "+toolCreate, fmt.Sprintf("%d", e.status), err)
	}
	s.sayExchange(e)
	challenge, bad := bearer(e.header)
	if bad != nil {
		return "", bad
	}
	s.out.say("error", challenge.Params["error"])
	s.out.say("scope", challenge.Params["scope"])
	s.missing = strings.Fields(challenge.Params["scope"])
	switch {
	case challenge.Params["error"] != "insufficient_scope":
		return "", expected("error=insufficient_scope", challenge.Params["error"], nil)
	case challenge.Params["resource_metadata"] == "":
		return "", expected("a challenge with resource_metadata", fmt.Sprint(challenge.Params), nil)
	case !errors.Is(err, errNotAsked):
		return "", expected("the client to ask its user for more", "", err)
	}
	return "refused before the server saw it; the list is as it was", s.checkNothingCreated(ctx)
}

func (s *story) checkNothingCreated(ctx context.Context) error {
	tasks, err := s.tasks(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(tasks, func(t task) bool { return t.Title == s.unwanted }) {
		return expected("no new task after the refusal", "the task was created all the same", nil)
	}
	return nil
}

// stepUp is step 9: the same call, with a user who agrees.
func (s *story) stepUp(ctx context.Context) (string, error) {
	_, held := subset(s.missing, strings.Fields(scopes(s.client.tokens.held())))
	switch {
	case s.opts.StepUp == StepUpNever:
		return "", passedOver("not part of this journey")
	case held && s.opts.StepUp == StepUpRequired:
		return "", expected("a challenge that names scopes to ask for", list(s.missing), nil)
	case held:
		return "", passedOver("the challenge names no scope that would open " + toolCreate)
	}
	before := len(s.client.flows)
	created, err := s.create(ctx, "made after consent "+rand.Text())
	if err != nil {
		return "", expected(toolCreate+" to be carried out after consent", "", err)
	}
	if len(s.client.flows) == before {
		return "", expected("the client to authorize again", "it did not", nil)
	}
	f := s.client.flows[len(s.client.flows)-1]
	s.sayFlow(f)
	s.clientID = f.authorizeURL.Query().Get("client_id")
	granted := scopes(s.client.tokens.held())
	s.out.say("granted", granted)
	s.out.say("owner", strings.TrimSpace(created.Owner.Subject+" "+created.Owner.Email))
	if scope, ok := subset(s.missing, strings.Fields(granted)); !ok {
		return "", expected("the scope "+scope+" among those granted", granted, nil)
	}
	if created.Owner.Subject == "" {
		return "", expected("the verified user as the task's owner", "nobody", nil)
	}
	return "created, and it belongs to the user who signed in", nil
}

func (s *story) tasks(ctx context.Context) ([]task, error) {
	var out struct {
		Tasks []task `json:"tasks"`
	}
	err := s.call(ctx, toolList, map[string]any{}, &out)
	if err != nil {
		return nil, expected(toolList+" to answer", "", err)
	}
	return out.Tasks, nil
}

func (s *story) create(ctx context.Context, title string) (task, error) {
	var out task
	err := s.call(ctx, toolCreate, map[string]any{"title": title}, &out)
	return out, err
}

// call calls a tool and decodes its structured output.
func (s *story) call(ctx context.Context, tool string, args map[string]any, into any) error {
	result, err := s.client.session.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		return err
	}
	data, err := json.Marshal(result.StructuredContent)
	if err != nil {
		return err
	}
	if result.IsError {
		return fmt.Errorf("%s reported an error: %s", tool, shorten(string(data), maxPageText))
	}
	return json.Unmarshal(data, into)
}

// calls matches requests that call the tool.
func (s *story) calls(tool string) func(exchange) bool {
	return func(e exchange) bool {
		var message struct {
			Method string `json:"method"`
			Params struct {
				Name string `json:"name"`
			} `json:"params"`
		}
		return e.url.String() == s.opts.MCPURL && json.Unmarshal(e.sent, &message) == nil &&
			message.Method == "tools/call" && message.Params.Name == tool
	}
}
