// ask asks a question and prints the answer as it is made. Questions with the same -label are one conversation.
//
//	cd examples/go && go run . -label trip "write 40 words slowly"
//
// It needs an engine (npm start), and finds it by PARLEY_URL and PARLEY_TOKEN, else by the data directory. Kill the engine while
// it answers and start it again: the text goes on, nothing of it twice. Exit code: 0 the turn completed, 1 it failed or
// was interrupted, 4 the engine refused, 5 it reached a limit, 6 somebody cancelled it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"
	parleyv1 "example.com/parley/gen/go/parley/v1"
)

func main() {
	label := flag.String("label", "", "the conversation to go on with; none = a new one")
	flag.Parse()
	ended, err := ask(context.Background(), *label, strings.Join(flag.Args(), " "))
	if err != nil {
		fmt.Fprintln(os.Stderr, "ask:", err)
		os.Exit(4)
	}
	if ended.Error != nil {
		fmt.Fprintln(os.Stderr, "ask: the turn did not complete:", ended.Error.Message)
	}
	switch ended.Reason {
	case parleyv1.TurnEndReason_TURN_END_REASON_COMPLETED:
		os.Exit(0)
	case parleyv1.TurnEndReason_TURN_END_REASON_LIMIT_REACHED:
		os.Exit(5)
	case parleyv1.TurnEndReason_TURN_END_REASON_CANCELLED:
		os.Exit(6)
	}
	os.Exit(1)
}

// ask starts a turn and prints its answer, over lost connections and restarts. It returns how the turn ended.
func ask(ctx context.Context, label, text string) (*parleyv1.TurnEnded, error) {
	asked := newQuestion(label, text)
	for failures := 0; ; failures++ {
		after := asked.after
		ended, err := asked.follow(ctx)
		if asked.after > after {
			failures = 0
		}
		switch {
		case err == nil:
			return ended, nil
		case connect.CodeOf(err) == connect.CodeOutOfRange:
			// The store is an older one now, restored from a backup: the same key finds the turn in it, or starts it again.
			asked.turn = nil
			fmt.Println()
		case !isTransient(err) || (asked.turn == nil && failures == 10):
			return nil, err
		default:
			fmt.Fprintln(os.Stderr, "ask: the engine is away, trying again")
		}
		time.Sleep(backoff(failures))
	}
}

// isTransient tells whether the same call may succeed later. What the engine answered with a reason is final, unless it says
// that it is away or full; what has no reason broke on the way.
func isTransient(err error) bool {
	var failure *connect.Error
	if !errors.As(err, &failure) {
		return errors.Is(err, errAway)
	}
	switch failure.Code() {
	case connect.CodeUnavailable, connect.CodeResourceExhausted, connect.CodeDeadlineExceeded:
		return true
	}
	for _, detail := range failure.Details() {
		if detail.Type() == "google.rpc.ErrorInfo" {
			return false
		}
	}
	return true
}

// backoff doubles up to 5 s, and half of it is by chance, so that many clients do not come back at once.
func backoff(failures int) time.Duration {
	full := min(5*time.Second, 100*time.Millisecond<<min(failures, 6))
	return full/2 + rand.N(full/2)
}
