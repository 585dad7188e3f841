package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"connectrpc.com/connect"
	parleyv1 "example.com/parley/gen/go/parley/v1"
	"example.com/parley/gen/go/parley/v1/parleyv1connect"
)

var errAway = errors.New("no engine is running; start one with `parley serve`, or name it with PARLEY_URL")

type engine struct {
	sessions parleyv1connect.SessionServiceClient
	messages parleyv1connect.MessageServiceClient
}

// bearer sends the token with every request.
type bearer string

func (token bearer) RoundTrip(request *http.Request) (*http.Response, error) {
	request.Header.Set("Authorization", "Bearer "+string(token))
	return http.DefaultTransport.RoundTrip(request)
}

// findEngine reads where the engine is: it may be another place than before a restart.
func findEngine() (*engine, error) {
	url, token := os.Getenv("PARLEY_URL"), os.Getenv("PARLEY_TOKEN")
	if url == "" {
		dataDir := os.Getenv("PARLEY_DATA_DIR")
		if dataDir == "" {
			dataDir = filepath.Join(os.Getenv("HOME"), ".parley")
		}
		var file struct{ URLs []string }
		text, err := os.ReadFile(filepath.Join(dataDir, "engine.json"))
		if err != nil || json.Unmarshal(text, &file) != nil {
			return nil, errAway
		}
		// An engine may listen in several places; sockets in the file system and TLS are not for this small program.
		for _, each := range file.URLs {
			if strings.HasPrefix(each, "http://") {
				url = each
			}
		}
		if url == "" {
			return nil, fmt.Errorf("none of %v is plain HTTP; name one with PARLEY_URL and PARLEY_TOKEN", file.URLs)
		}
		kept, err := os.ReadFile(filepath.Join(dataDir, "token"))
		if err != nil {
			return nil, err
		}
		token = strings.TrimSpace(string(kept))
	}
	caller := &http.Client{Transport: bearer(token)}
	return &engine{
		sessions: parleyv1connect.NewSessionServiceClient(caller, url),
		messages: parleyv1connect.NewMessageServiceClient(caller, url),
	}, nil
}

// findSession returns the newest session with these labels, else a new one; always a new one without labels.
func (e *engine) findSession(ctx context.Context, creation *parleyv1.CreateSessionRequest) (string, error) {
	if len(creation.Labels) > 0 {
		request := &parleyv1.ListSessionsRequest{Labels: creation.Labels, PageSize: 1}
		found, err := e.sessions.ListSessions(ctx, connect.NewRequest(request))
		if err != nil {
			return "", err
		}
		if len(found.Msg.Sessions) > 0 {
			return found.Msg.Sessions[0].Id, nil
		}
	}
	made, err := e.sessions.CreateSession(ctx, connect.NewRequest(creation))
	if err != nil {
		return "", err
	}
	return made.Msg.Session.Id, nil
}
