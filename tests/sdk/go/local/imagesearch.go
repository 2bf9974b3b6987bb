package local

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Project is the project of all calls of ImageSearch.
const Project = "0123456789abcdef0123456789abcdef"

// Run calls the method of a client with a request, by name, and gives its error.
func Run(client any, method string, request any) error {
	results := reflect.ValueOf(client).MethodByName(method).Call([]reflect.Value{reflect.ValueOf(request)})
	err, _ := results[1].Interface().(error)
	return err
}

// Calls gives the names of the calls that a client has.
func Calls(client any) []string {
	var names []string
	kind := reflect.TypeOf(client)
	for index := range kind.NumMethod() {
		name := kind.Method(index).Name
		if strings.HasPrefix(name, "Run") && !strings.HasSuffix(name, "Invoker") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

type refusal struct {
	Status    int    `json:"status_code"`
	RequestID string `json:"request_id"`
	Code      string `json:"error_code"`
	Message   string `json:"error_message"`
}

// said gives what the SDK's error tells; its versions have types of their own.
func said(t *testing.T, err error) refusal {
	t.Helper()
	var found refusal
	if err == nil {
		t.Fatal("no error")
	}
	text, _ := json.Marshal(err)
	if problem := json.Unmarshal(text, &found); problem != nil || len(found.RequestID) != 36 || found.Message == "" {
		t.Fatalf("not an answer of the service: %v", err)
	}
	return found
}

// CheckOutcome is what comes of a call that was let in and found its operation. The one place to
// change when the operations are there: until then the router says that they are not.
func CheckOutcome(t *testing.T, err error, operation string) {
	t.Helper()
	found := said(t, err)
	if found.Status != 404 || found.Code != "APIGW.0101" || !strings.HasPrefix(found.Message, operation+" is not available") {
		t.Fatalf("%s: %v", operation, err)
	}
}

// CheckRefused is that a call was not let in.
func CheckRefused(t *testing.T, err error, status int, code string) {
	t.Helper()
	if found := said(t, err); found.Status != status || found.Code != code {
		t.Fatalf("wanted %d %s: %v", status, code, err)
	}
}

// Version is a version of the SDK: its client, and a call of each operation by its name.
type Version struct {
	Cloud *Cloud
	// Client makes a client with a key, and with a security token where there is one.
	Client func(id, secret, token string) any
	// Requests has a call of each operation, with a body as it may be.
	Requests map[string]any
	// Prefix stands before the name of an operation in that of its method.
	Prefix string
	// One is the operation that is called where one is enough.
	One string
}

// Run calls an operation and gives its error.
func (v Version) Run(client any, operation string) error {
	return Run(client, v.Prefix+operation, v.Requests[operation])
}

// CheckWhoIsLetIn is what holds of every version of the SDK.
func (v Version) CheckWhoIsLetIn(t *testing.T) {
	own := v.Client(AccessKeyID, AccessKeySecret, "")
	t.Run("each call of the SDK is in the table", func(t *testing.T) {
		var methods []string
		for operation := range v.Requests {
			methods = append(methods, v.Prefix+operation)
		}
		slices.Sort(methods)
		if calls := Calls(own); !slices.Equal(calls, methods) {
			t.Fatalf("the SDK has %v, the table %v", calls, methods)
		}
	})
	t.Run("a signed call reaches its operation", func(t *testing.T) {
		for operation := range v.Requests {
			// Signed within the same second the second one is the same request to the byte.
			for range 2 {
				CheckOutcome(t, v.Run(own, operation), operation)
			}
		}
	})
	t.Run("a wrong secret is refused", func(t *testing.T) {
		for operation := range v.Requests {
			CheckRefused(t, v.Run(v.Client(AccessKeyID, "wrong", ""), operation), 401, "APIGW.0301")
			CheckRefused(t, v.Run(v.Client("nobody", AccessKeySecret, ""), operation), 401, "APIGW.0301")
		}
	})
	t.Run("a temporary key is let in with its token only", func(t *testing.T) {
		id, secret, token := v.Cloud.TemporaryKey(t)
		CheckOutcome(t, v.Run(v.Client(id, secret, token), v.One), v.One)
		CheckRefused(t, v.Run(v.Client(id, secret, ""), v.One), 401, "APIGW.0301")
		CheckRefused(t, v.Run(v.Client(id, secret, "other"), v.One), 401, "APIGW.0301")
	})
}
