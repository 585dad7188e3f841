package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"
	parleyv1 "example.com/parley/gen/go/parley/v1"
)

// Two heartbeats of 15 s, and a little for the way: after that much silence the connection is dead.
const maxSilence = 35 * time.Second

// question is what is asked, and how far its answer was read.
type question struct {
	session *parleyv1.CreateSessionRequest
	start   *parleyv1.StartTurnRequest
	turn    *parleyv1.Turn // nil = not started, as far as is known
	after   int64          // the last event that was read
	epoch   *string        // of the log that it counts in
	shown   string         // what was printed of the message that is being made
}

// newQuestion gives both calls their keys: a second try makes no second session and no second turn, whatever became of the
// first.
func newQuestion(label, text string) *question {
	session := &parleyv1.CreateSessionRequest{IdempotencyKey: rand.Text(), ResumeAfterRestart: true}
	if label != "" {
		session.Labels = map[string]string{"ask": label}
	}
	parts := []*parleyv1.Part{{Content: &parleyv1.Part_Text{Text: text}}}
	return &question{session: session, start: &parleyv1.StartTurnRequest{IdempotencyKey: rand.Text(), Parts: parts}}
}

// follow finds the engine, starts the turn unless that was done, and prints events until the turn ends or the stream breaks.
func (q *question) follow(ctx context.Context) (*parleyv1.TurnEnded, error) {
	engine, err := findEngine()
	if err != nil {
		return nil, err
	}
	if q.turn == nil {
		if err := q.begin(ctx, engine); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(maxSilence, cancel)
	defer silence.Stop()
	request := &parleyv1.WatchSessionRequest{SessionId: q.start.SessionId, AfterSeq: q.after, LogEpoch: q.epoch}
	stream, err := engine.messages.WatchSession(ctx, connect.NewRequest(request))
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	for stream.Receive() {
		silence.Reset(maxSilence)
		if checkpoint := stream.Msg().GetCheckpoint(); checkpoint != nil {
			q.epoch = &checkpoint.LogEpoch
		} else if event := stream.Msg().GetEvent(); event != nil {
			q.after = event.Seq
			if ended := event.GetTurnEnded(); ended != nil && event.TurnId == q.turn.Id {
				return ended, nil
			}
			q.print(event)
		}
	}
	if stream.Err() == nil {
		return nil, errAway
	}
	return nil, stream.Err()
}

func (q *question) begin(ctx context.Context, engine *engine) (err error) {
	if q.start.SessionId == "" {
		if q.start.SessionId, err = engine.findSession(ctx, q.session); err != nil {
			return err
		}
	}
	started, err := engine.messages.StartTurn(ctx, connect.NewRequest(q.start))
	if err == nil {
		q.turn, q.after, q.epoch, q.shown = started.Msg.Turn, started.Msg.Turn.FirstSeq-1, nil, ""
	}
	return err
}

// print shows deltas as they come, and of a message that comes whole what is not on the screen yet.
func (q *question) print(event *parleyv1.Event) {
	switch payload := event.Payload.(type) {
	case *parleyv1.Event_MessageStarted:
		q.shown = ""
	case *parleyv1.Event_TextDelta:
		q.shown += payload.TextDelta.Text
		fmt.Print(payload.TextDelta.Text)
	case *parleyv1.Event_MessageCompleted:
		message, whole := payload.MessageCompleted.Message, ""
		for _, part := range message.Parts {
			whole += part.GetText()
		}
		if message.Role != parleyv1.Role_ROLE_ASSISTANT || whole == "" {
			return
		}
		if rest, isShown := strings.CutPrefix(whole, q.shown); isShown {
			fmt.Println(rest)
		} else {
			fmt.Println("\n" + whole)
		}
	case *parleyv1.Event_RequestOpened:
		// The turn goes on when somebody has answered, here or elsewhere.
		request := payload.RequestOpened.Request
		fmt.Fprintf(os.Stderr, "ask: waiting for a human: %s (parley requests answer %s)\n", request.Title, request.Id)
	}
}
