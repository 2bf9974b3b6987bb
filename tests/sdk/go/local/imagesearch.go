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
