// Talks to an engine with the generated connect-go client: makes a session, streams a turn, watches it from the beginning,
// and prints what it saw as JSON. Usage: talk URL TOKEN connect|grpc|grpcweb TEXT
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect"

	parleyv1 "example.com/parley/gen/go/parley/v1"
	"example.com/parley/gen/go/parley/v1/parleyv1connect"
)

// report is what the test reads.
type report struct {
	Sent    seen   `json:"sent"`
	Watched seen   `json:"watched"`
	Refusal string `json:"refusal"`
	Reason  string `json:"reason"`
}

// seen is what a stream showed.
type seen struct {
	Streamed             string   `json:"streamed"`
	Completed            string   `json:"completed"`
	EndReasons           []string `json:"endReasons"`
	Seqs                 []int64  `json:"seqs"`
	BeginsWithCheckpoint bool     `json:"beginsWithCheckpoint"`
}

func (s *seen) take(event *parleyv1.Event, checkpoint *parleyv1.Checkpoint) {
	if checkpoint != nil && len(s.Seqs) == 0 {
		s.BeginsWithCheckpoint = true
	}
	if event == nil {
		return
	}
	s.Seqs = append(s.Seqs, event.GetSeq())
	switch payload := event.GetPayload().(type) {
	case *parleyv1.Event_TextDelta:
		s.Streamed += payload.TextDelta.GetText()
	case *parleyv1.Event_MessageCompleted:
		if payload.MessageCompleted.GetMessage().GetRole() != parleyv1.Role_ROLE_ASSISTANT {
			return
		}
		for _, part := range payload.MessageCompleted.GetMessage().GetParts() {
			s.Completed += part.GetText()
		}
	case *parleyv1.Event_TurnEnded:
		s.EndReasons = append(s.EndReasons, payload.TurnEnded.GetReason().String())
	}
}

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: talk URL TOKEN connect|grpc|grpcweb TEXT")
		os.Exit(2)
	}
	result, err := talk(os.Args[1], os.Args[2], os.Args[3], os.Args[4])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func talk(url, token, protocol, text string) (*report, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, options := newClient(token, protocol)
	sessions := parleyv1connect.NewSessionServiceClient(client, url, options...)
	messages := parleyv1connect.NewMessageServiceClient(client, url, options...)

	created, err := sessions.CreateSession(ctx, connect.NewRequest(&parleyv1.CreateSessionRequest{Title: "go"}))
	if err != nil {
		return nil, fmt.Errorf("create: %w", err)
	}
	sessionID := created.Msg.GetSession().GetId()
	result := &report{}

	sent, err := messages.SendMessage(ctx, connect.NewRequest(&parleyv1.SendMessageRequest{
		SessionId: sessionID,
		Parts:     []*parleyv1.Part{{Content: &parleyv1.Part_Text{Text: text}}},
	}))
	if err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	for sent.Receive() {
		result.Sent.take(sent.Msg().GetEvent(), sent.Msg().GetCheckpoint())
	}
	if err := errors.Join(sent.Err(), sent.Close()); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}

	if err := watch(ctx, messages, sessionID, &result.Watched); err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}

	_, err = sessions.GetSession(ctx, connect.NewRequest(&parleyv1.GetSessionRequest{SessionId: "ses_none"}))
	var refused *connect.Error
	if !errors.As(err, &refused) {
		return nil, fmt.Errorf("an unknown session was not refused: %w", err)
	}
	result.Refusal = refused.Code().String()
	for _, detail := range refused.Details() {
		result.Reason += detail.Type() + " "
	}
	return result, nil
}

// watch reads a session's log from its beginning until it has caught up.
func watch(ctx context.Context, messages parleyv1connect.MessageServiceClient, sessionID string, result *seen) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := messages.WatchSession(ctx, connect.NewRequest(&parleyv1.WatchSessionRequest{SessionId: sessionID}))
	if err != nil {
		return err
	}
	defer stream.Close()
	for stream.Receive() {
		result.take(stream.Msg().GetEvent(), stream.Msg().GetCheckpoint())
		if stream.Msg().GetCheckpoint().GetCaughtUp() {
			return nil
		}
	}
	return fmt.Errorf("ended before it caught up: %w", stream.Err())
}

// newClient speaks HTTP/2 in the clear where the protocol needs it, HTTP/1.1 elsewhere.
func newClient(token, protocol string) (*http.Client, []connect.ClientOption) {
	protocols := new(http.Protocols)
	options := []connect.ClientOption{connect.WithInterceptors(withToken(token))}
	switch protocol {
	case "grpc":
		protocols.SetUnencryptedHTTP2(true)
		options = append(options, connect.WithGRPC())
	case "grpcweb":
		protocols.SetHTTP1(true)
		options = append(options, connect.WithGRPCWeb())
	default:
		protocols.SetHTTP1(true)
	}
	return &http.Client{Transport: &http.Transport{Protocols: protocols}}, options
}

// withToken sends the token with every call.
func withToken(token string) connect.Interceptor { return tokenInterceptor(token) }

type tokenInterceptor string

func (t tokenInterceptor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		request.Header().Set("Authorization", "Bearer "+string(t))
		return next(ctx, request)
	}
}

func (t tokenInterceptor) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		conn := next(ctx, spec)
		conn.RequestHeader().Set("Authorization", "Bearer "+string(t))
		return conn
	}
}

func (t tokenInterceptor) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}
