package postgrestest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// startTimeout bounds the way to the server's first answer, and stopTimeout that
	// to its end.
	startTimeout = 60 * time.Second
	stopTimeout  = 10 * time.Second
	// pollInterval is how often the server is asked until it answers.
	pollInterval = 20 * time.Millisecond
	// role is the superuser's name.
	role = "mcpauth"
	// maxSocketPath is what a unix socket's address can hold.
	maxSocketPath = 100
)

// Instance is a PostgreSQL server. It is safe for concurrent use.
type Instance struct {
	// folder holds the socket, the data and the log; it is the server's own.
	folder    string
	process   *process
	databases atomic.Int64
}

// StartInstance starts a server in a folder of its own below dir, which may not be
// removed before Stop. It fails with ErrUnavailable where there is no PostgreSQL.
func StartInstance(ctx context.Context, dir string) (*Instance, error) {
	programs, err := findPrograms(ctx)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(dir, "postgres")
	if err != nil {
		return nil, err
	}
	i := &Instance{folder: folder}
	if err := i.start(ctx, programs); err != nil {
		i.Stop()
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	return i, nil
}

func (i *Instance) start(ctx context.Context, programs string) error {
	if len(i.folder) > maxSocketPath-len("/.s.PGSQL.5432") {
		return fmt.Errorf("the folder's path is too long for a socket: %s", i.folder)
	}
	owner, err := serverOwner()
	if err != nil {
		return err
	}
	if owner != nil {
		if err := os.Chown(i.folder, int(owner.Uid), int(owner.Gid)); err != nil {
			return err
		}
	}
	data := filepath.Join(i.folder, "data")
	bounded, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	initdb := i.command(bounded, owner, filepath.Join(programs, "initdb"), "--pgdata="+data, "--username="+role, "--auth=trust",
		"--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if output, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, tail(output))
	}
	server := i.command(context.WithoutCancel(ctx), owner, filepath.Join(programs, "postgres"), "-D", data, "-c", "listen_addresses=",
		"-c", "unix_socket_directories="+i.folder, "-c", "unix_socket_permissions=0700")
	if i.process, err = launch(server, filepath.Join(i.folder, "log")); err != nil {
		return err
	}
	return i.awaitAnswer(bounded)
}

// serverOwner is who runs the server where root may not, or nil for us.
func serverOwner() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(found.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(found.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("%w: root may not run it, and there is no user postgres or nobody", ErrUnavailable)
}

// command takes nothing over from our environment: PG* variables would turn the
// server into another one.
func (i *Instance) command(ctx context.Context, owner *syscall.Credential, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = i.folder
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner, Setpgid: true}
	return cmd
}

func (i *Instance) awaitAnswer(ctx context.Context) error {
	for {
		conn, err := pgx.Connect(ctx, i.url("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-i.process.ended:
			return fmt.Errorf("it ended: %s", i.process.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w: %s", err, i.process.lastWords())
		case <-time.After(pollInterval):
		}
	}
}

// NewDatabase creates an empty database and returns its URL. It lives as long as
// the instance.
func (i *Instance) NewDatabase(ctx context.Context) (string, error) {
	conn, err := pgx.Connect(ctx, i.url("postgres"))
	if err != nil {
		return "", fmt.Errorf("create a database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	name := "test" + strconv.FormatInt(i.databases.Add(1), 10)
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", fmt.Errorf("create a database: %w", err)
	}
	return i.url(name), nil
}

func (i *Instance) url(database string) string {
	query := url.Values{"host": {i.folder}, "sslmode": {"disable"}}
	return (&url.URL{Scheme: "postgres", User: url.User(role), Path: "/" + database, RawQuery: query.Encode()}).String()
}

// Stop ends the server, whoever is connected to it, and removes its folder. It may
// be called more than once.
func (i *Instance) Stop() {
	if i.process != nil {
		i.process.stop()
	}
	_ = os.RemoveAll(i.folder) // a temporary folder: the next boot removes it too
}

// tail is the end of a program's output.
func tail(output []byte) []byte {
	const most = 2000
	output = bytes.TrimSpace(output)
	return output[max(0, len(output)-most):]
}
