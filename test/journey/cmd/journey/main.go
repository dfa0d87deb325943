// Command journey takes the journey of an MCP client through a protected server
// and exits 0 only if every step of it held.
//
//	journey --url http://127.0.0.1:9401/mcp --username alice
//
// The password comes from the environment variable MCPAUTH_PASSWORD or, where
// that is empty, from the first line of standard input: an argument would show
// in the list of processes.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/mcpauth/mcpauth/test/journey"
)

// passwordVariable names the environment variable with the user's password.
const passwordVariable = "MCPAUTH_PASSWORD"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process: 0 for a journey that held, 1 for one that did
// not, 2 for arguments that make none.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	opts, err := parse(args, stdin, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "journey:", err)
		return 2
	}
	opts.Out, opts.Color = stdout, colorful(stdout)
	if err := journey.Run(ctx, opts); err != nil {
		fmt.Fprintln(stderr, "journey:", err)
		return 1
	}
	return 0
}

func parse(args []string, stdin io.Reader, stderr io.Writer) (journey.Options, error) {
	var opts journey.Options
	flags := flag.NewFlagSet("journey", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&opts.MCPURL, "url", journey.DefaultMCPURL, "`URL` of the protected MCP server")
	flags.StringVar(&opts.Username, "username", "alice", "`name` to sign in with")
	flags.DurationVar(&opts.Timeout, "timeout", 2*time.Minute, "`time` the whole journey may take")
	stepUp := flags.String("step-up", "if-offered", "authorizing again for more scopes: if-offered, required or never")
	if err := flags.Parse(args); err != nil {
		return opts, err
	}
	modes := map[string]journey.StepUp{
		"if-offered": journey.StepUpIfOffered, "required": journey.StepUpRequired, "never": journey.StepUpNever,
	}
	mode, ok := modes[*stepUp]
	if !ok || flags.NArg() > 0 {
		return opts, fmt.Errorf("bad arguments: --step-up=%s %s", *stepUp, strings.Join(flags.Args(), " "))
	}
	opts.StepUp = mode
	var err error
	opts.Password, err = password(stdin)
	return opts, err
}

func password(stdin io.Reader) (string, error) {
	if p := os.Getenv(passwordVariable); p != "" {
		return p, nil
	}
	line, err := bufio.NewReader(io.LimitReader(stdin, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", fmt.Errorf("no password, neither in %s nor on standard input", passwordVariable)
	}
	return line, nil
}

// colorful follows https://no-color.org: never without a terminal.
func colorful(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(file.Fd()))
}
