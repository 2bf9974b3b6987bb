// Package local starts `mediadex up`, and calls what no SDK has.
package local

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The key of the tests.
const (
	AccessKeyID     = "sdk-tests"
	AccessKeySecret = "sdk-tests-secret"
	Region          = "us-east-1"
	startTime       = time.Minute
)

// Cloud is a running `mediadex up`.
type Cloud struct {
	API     string `json:"api"`
	S3      string `json:"s3"`
	process *exec.Cmd
	place   string
	token   string
}

// program gives the one that MEDIADEX_BIN names, else what cargo built last.
func program() (string, error) {
	if named := os.Getenv("MEDIADEX_BIN"); named != "" {
		return named, nil
	}
	_, here, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(here), "..", "..", "..", "..")
	for _, profile := range []string{"debug", "release"} {
		built := filepath.Join(root, "target", profile, "mediadex")
		if _, err := os.Stat(built); err == nil {
			return built, nil
		}
	}
	return "", fmt.Errorf("build mediadex first (cargo build -p mediadex), or name it in MEDIADEX_BIN")
}

// Start starts one and waits until it is up.
func Start() (*Cloud, error) {
	name, err := program()
	if err != nil {
		return nil, err
	}
	place, err := os.MkdirTemp("", "mediadex-go-")
	if err != nil {
		return nil, err
	}
	cloud := &Cloud{process: exec.Command(name, "up", "--ephemeral", "--port", "0", "--json"), place: place}
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "AWS_") && !strings.HasPrefix(variable, "MEDIADEX_") {
			cloud.process.Env = append(cloud.process.Env, variable)
		}
	}
	cloud.process.Env = append(cloud.process.Env,
		"MEDIADEX_ACCESS_KEY_ID="+AccessKeyID,
		"MEDIADEX_ACCESS_KEY_SECRET="+AccessKeySecret,
		// What it keeps for the user's other commands is not left with the user's own.
		"XDG_DATA_HOME="+filepath.Join(place, "data"))
	var words bytes.Buffer
	cloud.process.Stderr = &words
	output, err := cloud.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cloud.process.Start(); err != nil {
		return nil, err
	}
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(output).ReadString('\n')
		line <- text
	}()
	select {
	case text := <-line:
		if err := json.Unmarshal([]byte(text), cloud); err != nil {
			cloud.Stop()
			return nil, fmt.Errorf("mediadex did not come up: %w\n%s", err, words.String())
		}
	case <-time.After(startTime):
		cloud.Stop()
		return nil, fmt.Errorf("mediadex did not come up in %s", startTime)
	}
	return cloud, nil
}

// Stop ends it.
func (cloud *Cloud) Stop() {
	cloud.process.Process.Signal(syscall.SIGINT)
	late := time.AfterFunc(20*time.Second, func() { cloud.process.Process.Kill() })
	cloud.process.Wait()
	late.Stop()
	os.RemoveAll(cloud.place)
}

// Main runs the tests of a package with one cloud.
func Main(m *testing.M, set func(*Cloud)) {
	cloud, err := Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	set(cloud)
	code := m.Run()
	cloud.Stop()
	os.Exit(code)
}

// Token gives a token of the token call, for the door of ImageSearch and for `/api`.
func (cloud *Cloud) Token(t *testing.T) string {
	t.Helper()
	if cloud.token == "" {
		user := map[string]any{"name": AccessKeyID, "password": AccessKeySecret, "domain": map[string]any{"name": "any"}}
		password := map[string]any{"user": user}
		identity := map[string]any{"methods": []string{"password"}, "password": password}
		reply, _ := cloud.post(t, "/v3/auth/tokens", "", map[string]any{"auth": map[string]any{"identity": identity}}, 201)
		cloud.token = reply.Get("X-Subject-Token")
	}
	return cloud.token
}

// Call calls an operation by way of `/api`.
func (cloud *Cloud) Call(t *testing.T, operation string, params map[string]any) map[string]any {
	t.Helper()
	_, body := cloud.post(t, "/api/"+operation, "Bearer "+cloud.Token(t), params, 200)
	return body
}

// TemporaryKey gives the id, the secret and the token of a temporary key.
func (cloud *Cloud) TemporaryKey(t *testing.T) (id, secret, token string) {
	t.Helper()
	reply := cloud.Call(t, "CreateTemporaryKey", map[string]any{"AccessKeyId": AccessKeyID})
	key := reply["Credentials"].(map[string]any)
	return key["AccessKeyId"].(string), key["AccessKeySecret"].(string), key["SecurityToken"].(string)
}

// AccessKey gives the id and the secret of a key that may do one thing.
func (cloud *Cloud) AccessKey(t *testing.T, action, resource string) (id, secret string) {
	t.Helper()
	statement := map[string]any{"Effect": "Allow", "Action": action, "Resource": resource}
	policy := map[string]any{"Version": "1", "Statement": []any{statement}}
	reply := cloud.Call(t, "CreateAccessKey", map[string]any{"Policy": policy})
	key := reply["AccessKey"].(map[string]any)
	return key["AccessKeyId"].(string), key["AccessKeySecret"].(string)
}

func (cloud *Cloud) post(t *testing.T, path, authorization string, params any, status int) (http.Header, map[string]any) {
	t.Helper()
	sent, err := json.Marshal(params)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequest("POST", cloud.API+path, bytes.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	if reply.StatusCode != status {
		t.Fatalf("%s: %d %s", path, reply.StatusCode, text)
	}
	var body map[string]any
	if err := json.Unmarshal(text, &body); err != nil {
		t.Fatal(err)
	}
	return reply.Header, body
}

// Eventually asks until the answer is true.
func Eventually(t *testing.T, what string, probe func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !probe(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so after 20 s: %s", what)
		}
	}
}
