package linkv1_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// Whatever bytes come as a frame, what is understood of them is written again
// so that it means the same, fields of later releases with it.
func FuzzFrame(f *testing.F) {
	for _, m := range []proto.Message{
		&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Hello{Hello: &linkv1.Hello{Protocol: 1, Host: "dc1", Clock: timestamppb.Now()}}},
		&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Results{Results: &linkv1.Results{Results: []*linkv1.Result{{Job: 1, Outcome: connectorv1.Outcome_OUTCOME_DONE}}}}},
		&linkv1.ConnectRequest{Frame: &linkv1.ConnectRequest_Records{Records: &linkv1.Records{Batch: 7, System: "hr", Records: []*connectorv1.Record{{Id: "1"}}}}},
		&linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Jobs{Jobs: &linkv1.Jobs{Jobs: []*linkv1.Job{{Id: 1, System: "hr"}}}}},
		&linkv1.ConnectResponse{Frame: &linkv1.ConnectResponse_Beat{Beat: &linkv1.Beat{Number: 1, Since: durationpb.New(1)}}},
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(append(b, 0xfa, 0x3e, 3, 'a', 'b', 'c'))
		f.Add(b[:len(b)-1])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, first := range []proto.Message{new(linkv1.ConnectRequest), new(linkv1.ConnectResponse)} {
			if proto.Unmarshal(b, first) != nil {
				continue
			}
			text, err := proto.Marshal(first)
			if err != nil {
				t.Fatal(err)
			}
			again := first.ProtoReflect().New().Interface()
			if err := proto.Unmarshal(text, again); err != nil || !proto.Equal(first, again) {
				t.Errorf("%v is read again as %v, %v", first, again, err)
			}
		}
	})
}
