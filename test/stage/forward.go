package stage

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
)

// forwardTimeout bounds how long one kubectl port-forward may take to listen.
const forwardTimeout = 30 * time.Second

// Forward keeps a port of this machine connected to a Service: it begins again
// when the pod behind it goes away, as a patient user would. It returns when the
// port answers first, and goes on until ctx ends.
func (k Kubectl) Forward(ctx context.Context, namespace, service string, local, port int) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	f := &forward{kubectl: k, namespace: namespace, service: service, local: local, port: port, ready: make(chan struct{})}
	var running sync.WaitGroup
	running.Go(func() { f.keep(ctx) })
	stop = func() { cancel(); running.Wait() }
	select {
	case <-f.ready:
		return stop, nil
	case <-time.After(2 * forwardTimeout):
		err = fmt.Errorf("port-forward to service %s/%s was not listening on port %d after %s: %s", namespace, service, local, 2*forwardTimeout, f.last())
	case <-ctx.Done():
		err = ctx.Err()
	}
	stop()
	return nil, err
}

type forward struct {
	kubectl            Kubectl
	namespace, service string
	local, port        int

	ready chan struct{}
	once  sync.Once

	mu   sync.Mutex
	said string
}

func (f *forward) keep(ctx context.Context) {
	for ctx.Err() == nil {
		f.run(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// run forwards until the connection to the pod is lost.
func (f *forward) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := f.kubectl.command(ctx, "-n", f.namespace, "port-forward", "--address", "127.0.0.1",
		"service/"+f.service, strconv.Itoa(f.local)+":"+strconv.Itoa(f.port))
	output, err := cmd.StdoutPipe()
	if err != nil {
		return
	}
	cmd.Stderr = &lastLine{f: f, lost: cancel}
	if err := cmd.Start(); err != nil {
		f.note(err.Error())
		return
	}
	scanner := bufio.NewScanner(output)
	for scanner.Scan() {
		if strings.HasPrefix(scanner.Text(), "Forwarding from") {
			f.once.Do(func() { close(f.ready) })
		}
	}
	_, _ = io.Copy(io.Discard, output)
	if err := cmd.Wait(); err != nil {
		f.note(err.Error())
	}
}

func (f *forward) note(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.said = text
}

func (f *forward) last() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.said
}

// lastLine notes what kubectl complains of. "lost connection to pod" ends the run:
// some versions of kubectl stay, forwarding to nobody.
type lastLine struct {
	f    *forward
	lost context.CancelFunc
}

func (l *lastLine) Write(p []byte) (int, error) {
	text := strings.TrimSpace(string(p))
	l.f.note(text)
	if strings.Contains(text, "lost connection") || strings.Contains(text, "error forwarding port") {
		l.lost()
	}
	return len(p), nil
}
