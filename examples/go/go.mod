module example.com/parley/examples/go

go 1.26.0

require (
	connectrpc.com/connect v1.21.1
	example.com/parley/gen/go v0.0.0
)

require (
	buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go v1.36.12-20260709200747-435963d16310.1 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace example.com/parley/gen/go => ../../gen/go
