package tasks

import (
	"context"
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Headers by which the sidecar names the verified user. Only a sidecar that
// deletes what clients sent under these names makes them trustworthy.
const (
	HeaderSubject = "X-Mcp-Auth-Subject"
	HeaderEmail   = "X-Mcp-Auth-Email"
)

const (
	// idleSession is how long the server remembers a client that fell silent.
	idleSession = 30 * time.Minute
	// firstStateless is the first revision of the protocol without sessions.
	firstStateless = "2026-07-28"
)

// Server offers a Store as MCP tools over streamable HTTP, to clients of the
// 2026-07-28 revision and, with sessions, to older ones.
type Server struct {
	store *Store
	mcp   *mcp.Server

	stateless, sessions http.Handler
}

// NewServer makes a Server for store.
func NewServer(store *Store) *Server {
	s := &Server{store: store}
	s.mcp = mcp.NewServer(&mcp.Implementation{Name: "todo", Title: "Task list", Version: "1.0.0"}, nil)
	s.addTools()
	server := func(*http.Request) *mcp.Server { return s.mcp }
	s.stateless = mcp.NewStreamableHTTPHandler(server, &mcp.StreamableHTTPOptions{Stateless: true, PropagateRequestCancellation: true})
	s.sessions = mcp.NewStreamableHTTPHandler(server, &mcp.StreamableHTTPOptions{SessionTimeout: idleSession})
	return s
}

// ServeHTTP answers the requests of the MCP endpoint, whatever its path. The
// SDK's handler serves either revisions with sessions or those without, so the
// header, which newer clients send with every request, chooses one of two.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Mcp-Protocol-Version") >= firstStateless {
		s.stateless.ServeHTTP(w, r)
		return
	}
	s.sessions.ServeHTTP(w, r)
}

// CloseSessions ends every session and with it every open event stream.
func (s *Server) CloseSessions() {
	for session := range s.mcp.Sessions() {
		_ = session.Close() // a session that is gone already needs no closing
	}
}

func (s *Server) addTools() {
	readOnly := &mcp.ToolAnnotations{ReadOnlyHint: true}
	mcp.AddTool(s.mcp, &mcp.Tool{Name: "list_tasks", Description: "List all tasks", Annotations: readOnly}, s.list)
	mcp.AddTool(s.mcp, &mcp.Tool{Name: "get_task", Description: "Show one task", Annotations: readOnly}, s.get)
	mcp.AddTool(s.mcp, &mcp.Tool{Name: "create_task", Description: "Create a task"}, s.create)
	mcp.AddTool(s.mcp, &mcp.Tool{Name: "delete_task", Description: "Delete a task"}, s.delete)
}

// ListInput is what list_tasks takes: nothing.
type ListInput struct{}

// ListOutput is what list_tasks answers.
type ListOutput struct {
	Tasks []Task `json:"tasks" jsonschema:"all tasks, oldest first"`
}

// IDInput is what get_task and delete_task take.
type IDInput struct {
	ID string `json:"id" jsonschema:"identifier of the task"`
}

// CreateInput is what create_task takes.
type CreateInput struct {
	Title string `json:"title" jsonschema:"what is to be done"`
}

func (s *Server) list(context.Context, *mcp.CallToolRequest, ListInput) (*mcp.CallToolResult, ListOutput, error) {
	return nil, ListOutput{Tasks: s.store.List()}, nil
}

func (s *Server) get(_ context.Context, _ *mcp.CallToolRequest, in IDInput) (*mcp.CallToolResult, Task, error) {
	task, err := s.store.Get(in.ID)
	return nil, task, err
}

func (s *Server) create(_ context.Context, req *mcp.CallToolRequest, in CreateInput) (*mcp.CallToolResult, Task, error) {
	task, err := s.store.Create(in.Title, owner(req))
	return nil, task, err
}

func (s *Server) delete(_ context.Context, _ *mcp.CallToolRequest, in IDInput) (*mcp.CallToolResult, Task, error) {
	task, err := s.store.Delete(in.ID)
	return nil, task, err
}

// owner reads the headers of the call itself, not of the session's first
// request: two calls of one session carry two tokens.
func owner(req *mcp.CallToolRequest) Owner {
	if req.Extra == nil || req.Extra.Header == nil {
		return Owner{}
	}
	return Owner{Subject: req.Extra.Header.Get(HeaderSubject), Email: req.Extra.Header.Get(HeaderEmail)}
}
