//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/test/bench/internal/load"
	"github.com/mcpauth/mcpauth/test/bench/internal/report"
	"github.com/mcpauth/mcpauth/test/bench/internal/sample"
)

// The bounds on tokens, as shares of what a loop that only signs makes.
const (
	boundAgents = 0.90
	boundUsers  = 0.75
	// boundTail is of the latencies p99 to p50.
	boundTail = 3
	// boundOthers is how many tokens a second there are to be where signing is cheap.
	boundOthers = 12000
)

// race is a server and a signer that take turns.
type race struct {
	bench   *bench
	ring    *keyring.Ring
	server  *server
	kept    store.Store
	signers []*signerLoop
	// signed are the signers' rounds, one more than there are of the loads, and taken
	// the loads' by name.
	signed [][]float64
	taken  map[string]sample.Samples
}

// startRace starts a server with new keys on the storage. The first signer has the
// server's backend; a second one, where that is OpenSSL, has Go's.
func (b *bench) startRace(ctx context.Context, algorithm keyring.Algorithm, s storage) (_ *race, err error) {
	r := &race{bench: b, taken: make(map[string]sample.Samples)}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.stop())
		}
	}()
	if r.ring, err = keyring.New(algorithm, time.Now()); err != nil {
		return nil, err
	}
	if err := b.cluster.setRing(ctx, r.ring); err != nil {
		return nil, err
	}
	if r.server, err = b.serve(ctx, s); err != nil {
		return nil, err
	}
	if r.kept, err = s.open(ctx); err != nil {
		return nil, err
	}
	for _, way := range []string{withOpenSSL, withoutOpenSSL} {
		signer, err := startSigner(ctx, r.ring, way)
		if err != nil {
			return nil, err
		}
		if len(r.signers) > 0 && r.signers[0].backend == signer.backend {
			return r, signer.stop()
		}
		r.signers = append(r.signers, signer)
	}
	return r, nil
}

func (r *race) stop() error {
	var failures []error
	for _, s := range r.signers {
		failures = append(failures, s.stop())
	}
	if r.kept != nil {
		failures = append(failures, r.kept.Close())
	}
	if r.server != nil {
		failures = append(failures, r.server.Stop())
	}
	return errors.Join(failures...)
}

// run lets the signers and the loads take turns, with the cluster frozen. The first
// load runs once more before everything is counted.
func (r *race) run(ctx context.Context, loads ...sample.Workload) error {
	r.signed, r.taken = make([][]float64, len(r.signers)), make(map[string]sample.Samples)
	return r.bench.cluster.frozen(func() error {
		if _, err := r.sample(ctx, loads[0]); err != nil {
			return err
		}
		if err := r.sign(); err != nil {
			return err
		}
		for range r.bench.rounds {
			for _, w := range loads {
				taken, err := r.sample(ctx, w)
				if err != nil {
					return err
				}
				r.taken[w.Name] = append(r.taken[w.Name], taken)
			}
			if err := r.sign(); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *race) sample(ctx context.Context, w sample.Workload) (sample.Sample, error) {
	return sample.Take(ctx, r.server.target(), r.bench.round, w)
}

func (r *race) sign() error {
	for i, s := range r.signers {
		made, err := s.perSecond(r.bench.round / 2)
		if err != nil {
			return err
		}
		r.signed[i] = append(r.signed[i], made)
	}
	return nil
}

// ratio holds each round of a load against the rounds of the first signer before and
// after it.
func (r *race) ratio(load string) float64 {
	var ratios []float64
	for i, taken := range r.taken[load] {
		ratios = append(ratios, 2*taken.PerSecond()/(r.signed[0][i]+r.signed[0][i+1]))
	}
	return report.Median(ratios)
}

// beside says what the first signer makes.
func (r *race) beside() string {
	return fmt.Sprintf("%s signatures/s (%s)", report.Count(report.Median(r.signed[0])), r.signers[0].backend)
}

// agents is the load of clients that act for themselves.
func (r *race) agents() sample.Workload {
	var running []*repeated
	return sample.Workload{
		Name: "client_credentials",
		Scripts: func(context.Context) ([]load.Script, error) {
			running = agents(r.bench.address, r.bench.secret, r.bench.connections)
			return scriptsOf(running), nil
		},
		Check: func() error { return r.verify(running[0].first) },
	}
}

// users are the loads of clients that act for users: codes, and the refresh tokens
// that came of them.
func (r *race) users() []sample.Workload {
	var running []*app
	check := func() error { return r.verify(running[0].first) }
	exchange := sample.Workload{Name: "authorization_code", Check: check, Scripts: func(ctx context.Context) ([]load.Script, error) {
		// As many as there could be at most; those left over expire.
		n := int(1.1 * r.signed0() * r.bench.round.Seconds())
		codes, err := makeCodes(ctx, r.kept, r.bench.issuer, n)
		if err != nil {
			return nil, err
		}
		running = apps(r.bench.address, r.bench.connections)
		deal(running, codes)
		return scriptsOf(running), nil
	}}
	refresh := sample.Workload{Name: "refresh_token", Check: check, Scripts: func(context.Context) ([]load.Script, error) {
		for _, a := range running {
			a.refreshing, a.first = true, nil
			if len(a.tokens) == 0 {
				return nil, errors.New("a connection has redeemed no code")
			}
		}
		return scriptsOf(running), nil
	}}
	return []sample.Workload{exchange, refresh}
}

// signed0 is what the first signer has made a second at most, and a guess before it
// has made anything.
func (r *race) signed0() float64 {
	most := 5000.0
	for i, made := range r.signed[0] {
		if i == 0 || made > most {
			most = made
		}
	}
	return most
}

func scriptsOf[S load.Script](all []S) []load.Script {
	scripts := make([]load.Script, len(all))
	for i, s := range all {
		scripts[i] = s
	}
	return scripts
}

// verify holds an answer's token against the ring.
func (r *race) verify(answer []byte) error {
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(answer, &body); err != nil {
		return fmt.Errorf("read an answer: %w", err)
	}
	key := r.ring.Active().Public()
	token, err := jose.ParseSignedCompact(body.AccessToken, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(key.Algorithm)})
	if err != nil {
		return fmt.Errorf("read a token: %w", err)
	}
	if _, err := token.Verify(key); err != nil {
		return fmt.Errorf("verify a token: %w", err)
	}
	return nil
}

func (b *bench) measureRS256(ctx context.Context) (err error) {
	s, err := b.newSQLite()
	if err != nil {
		return err
	}
	r, err := b.startRace(ctx, keyring.RS256, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	agents, users := r.agents(), r.users()
	if err := r.run(ctx, agents, users[0], users[1]); err != nil {
		return err
	}
	for i, signer := range r.signers {
		made := report.Count(report.Median(r.signed[i])) + "/s"
		b.add(report.Row{Figure: "RS256 signatures, all cores, " + signer.backend, Measured: made})
		b.goSignatures = "; RS256 in Go signs " + made // the last one's backend is Go's
	}
	if err := b.addTokens(ctx, r, keyring.RS256, s, boundAgents, agents); err != nil {
		return err
	}
	b.addTail(keyring.RS256, r.taken[agents.Name])
	return b.addTokens(ctx, r, keyring.RS256, s, boundUsers, users...)
}

func (b *bench) measurePostgreSQL(ctx context.Context) (err error) {
	s, err := b.newPostgreSQL(ctx)
	if err != nil {
		return err
	}
	r, err := b.startRace(ctx, keyring.RS256, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	users := r.users()
	if err := r.run(ctx, users...); err != nil {
		return err
	}
	return b.addTokens(ctx, r, keyring.RS256, s, boundUsers, users...)
}

// addTokens takes down what the loads made, with a profile where a bound is missed.
func (b *bench) addTokens(ctx context.Context, r *race, algorithm keyring.Algorithm, s storage, bound float64, loads ...sample.Workload) error {
	for _, w := range loads {
		ratio, taken := r.ratio(w.Name), r.taken[w.Name]
		title := fmt.Sprintf("%s %s, %s", algorithm, w.Name, s.name)
		row := report.Row{
			Figure: title, Measured: taken.String(), Beside: r.beside(),
			Ratio: report.Ratio(ratio), Bound: "≥ " + report.Ratio(bound), Verdict: report.Held(ratio >= bound),
		}
		b.add(row)
		b.note("%s: %s; against what the signer would make without the generator's share the ratio is %s.",
			title, taken.Cores(), report.Ratio(ratio/(1-taken.Generator())))
		if err := b.explain(ctx, r, w, title, row.Verdict); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) addTail(algorithm keyring.Algorithm, taken sample.Samples) {
	tail := taken.Tail()
	b.add(report.Row{
		Figure: fmt.Sprintf("%s client_credentials, p99 to p50", algorithm), Measured: report.Time(taken.Quantile(0.99)), Beside: report.Time(taken.Quantile(0.5)),
		Ratio: report.Ratio(tail), Bound: fmt.Sprintf("≤ %d", boundTail), Verdict: report.Held(tail <= boundTail),
	})
}

// measureAlgorithms is for those whose signatures cost little.
func (b *bench) measureAlgorithms(ctx context.Context) error {
	for _, algorithm := range []keyring.Algorithm{keyring.ES256, keyring.EdDSA} {
		if err := b.measureAlgorithm(ctx, algorithm); err != nil {
			return fmt.Errorf("%s: %w", algorithm, err)
		}
	}
	return nil
}

func (b *bench) measureAlgorithm(ctx context.Context, algorithm keyring.Algorithm) (err error) {
	s, err := b.newSQLite()
	if err != nil {
		return err
	}
	r, err := b.startRace(ctx, algorithm, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	agents := r.agents()
	if err := r.run(ctx, agents); err != nil {
		return err
	}
	taken := r.taken[agents.Name]
	title := fmt.Sprintf("%s client_credentials, %s", algorithm, s.name)
	row := report.Row{
		Figure: title, Measured: taken.String(), Beside: r.beside() + b.goSignatures, Ratio: report.Ratio(r.ratio(agents.Name)),
		Bound: "≥ " + report.Count(boundOthers) + "/s", Verdict: report.Held(taken.PerSecond() >= boundOthers),
	}
	b.add(row)
	b.addTail(algorithm, taken)
	b.note("%s: %s.", title, taken.Cores())
	return b.explain(ctx, r, agents, title, row.Verdict)
}
