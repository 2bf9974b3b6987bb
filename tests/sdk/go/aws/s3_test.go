package aws

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	managed "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"mediadex.tests/local"
)

const megabyte = 1 << 20

var oddKeys = []string{
	"two words.txt", " leading and trailing ", "plus+plus.txt", "percent%20.txt", "hash#?&=.txt",
	"quote'\"\\.txt", "<xml>&amp;.txt", "北京/照片 1.txt", "émoji 🎉/🦀.txt", "e\u0301 decomposed.txt",
	".dot/.file", "~tilde!*().txt", strings.Repeat("k", 255) + "/" + strings.Repeat("k", 200),
}

var (
	cloud *local.Cloud
	ctx   = context.Background()
)

func TestMain(m *testing.M) {
	local.Main(m, func(started *local.Cloud) { cloud = started })
}

func client(secret string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(cloud.S3),
		Region:       local.Region,
		Credentials:  credentials.NewStaticCredentialsProvider(local.AccessKeyID, secret, ""),
		UsePathStyle: true,
	})
}

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// large is how many bytes a large object has; by hand, MEDIADEX_TOOLS_LARGE=200000000.
func large(t *testing.T) int {
	if named := os.Getenv("MEDIADEX_TOOLS_LARGE"); named != "" {
		return must[int](t)(strconv.Atoi(named))
	}
	return 20_000_000
}

func content(size int) []byte {
	bytes := make([]byte, size)
	rand.New(rand.NewSource(int64(size))).Read(bytes)
	return bytes
}

// space is a bucket with a binding; the index must be the bucket whenever it is compared.
type space struct {
	t       *testing.T
	s3      *s3.Client
	bucket  *string
	project string
}

func newSpace(t *testing.T) *space {
	name := fmt.Sprintf("go-%x", time.Now().UnixNano())
	space := &space{t: t, s3: client(local.AccessKeySecret), bucket: aws.String(name), project: name}
	must[*s3.CreateBucketOutput](t)(space.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: space.bucket}))
	params := map[string]any{"ProjectName": name}
	cloud.Call(t, "CreateProject", params)
	params["DatasetName"] = "files"
	cloud.Call(t, "CreateDataset", params)
	params["URI"] = "oss://" + name
	cloud.Call(t, "CreateBinding", params)
	return space
}

// listed gives the size and the entity tag of each object.
func (space *space) listed() map[string]string {
	objects := map[string]string{}
	pages := s3.NewListObjectsV2Paginator(space.s3, &s3.ListObjectsV2Input{Bucket: space.bucket})
	for pages.HasMorePages() {
		for _, object := range must[*s3.ListObjectsV2Output](space.t)(pages.NextPage(ctx)).Contents {
			objects[*object.Key] = fmt.Sprintf("%d %s", *object.Size, strings.Trim(*object.ETag, `"`))
		}
	}
	return objects
}

func (space *space) indexed() map[string]string {
	files := map[string]string{}
	params := map[string]any{"ProjectName": space.project, "DatasetName": "files", "MaxResults": 100}
	for _, each := range cloud.Call(space.t, "SimpleQuery", params)["Files"].([]any) {
		file := each.(map[string]any)
		tag := strings.Trim(file["ETag"].(string), `"`)
		files[file["Filename"].(string)] = fmt.Sprintf("%.0f %s", file["Size"], tag)
	}
	return files
}

// isIndexed is that the bucket has these keys, and the index the same.
func (space *space) isIndexed(keys []string) {
	space.t.Helper()
	listed := space.listed()
	if found := slices.Sorted(maps.Keys(listed)); !slices.Equal(found, slices.Sorted(slices.Values(keys))) {
		space.t.Fatalf("the bucket has %q, wanted %q", found, keys)
	}
	local.Eventually(space.t, "the index is the bucket", func() bool { return maps.Equal(space.indexed(), listed) })
}

func (space *space) put(key string, body []byte) {
	space.t.Helper()
	input := &s3.PutObjectInput{Bucket: space.bucket, Key: &key, Body: bytes.NewReader(body)}
	must[*s3.PutObjectOutput](space.t)(space.s3.PutObject(ctx, input))
}

func (space *space) get(key string) []byte {
	space.t.Helper()
	output := must[*s3.GetObjectOutput](space.t)(space.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: space.bucket, Key: &key}))
	defer output.Body.Close()
	return must[[]byte](space.t)(io.ReadAll(output.Body))
}

func TestOddKeysAreWrittenReadCopiedAndDeletedInABatch(t *testing.T) {
	space := newSpace(t)
	var gone []types.ObjectIdentifier
	var copies []string
	for _, key := range oddKeys {
		space.put(key, []byte(key))
		if got := space.get(key); string(got) != key {
			t.Fatalf("%q has %q", key, got)
		}
		gone = append(gone, types.ObjectIdentifier{Key: aws.String(key)})
		copies = append(copies, "copies/"+key)
	}
	space.isIndexed(oddKeys)
	for _, key := range oddKeys {
		must[*s3.CopyObjectOutput](t)(space.s3.CopyObject(ctx, &s3.CopyObjectInput{
			Bucket: space.bucket, Key: aws.String("copies/" + key), CopySource: aws.String(escaped(*space.bucket + "/" + key)),
		}))
	}
	input := &s3.DeleteObjectsInput{Bucket: space.bucket, Delete: &types.Delete{Objects: gone}}
	output := must[*s3.DeleteObjectsOutput](t)(space.s3.DeleteObjects(ctx, input))
	if len(output.Errors) != 0 || len(output.Deleted) != len(oddKeys) {
		t.Fatalf("%+v", output)
	}
	space.isIndexed(copies)
}

// escaped writes a path as a URL has it; Go's SDK leaves that to its caller.
func escaped(path string) string {
	var text strings.Builder
	for _, each := range []byte(path) {
		if each == '/' || each == '.' || 'a' <= each && each <= 'z' || '0' <= each && each <= '9' {
			text.WriteByte(each)
		} else {
			fmt.Fprintf(&text, "%%%02X", each)
		}
	}
	return text.String()
}

func TestACopySourceMayBeWrittenAsAForm(t *testing.T) {
	space := newSpace(t)
	space.put("two words", []byte("two words"))
	must[*s3.CopyObjectOutput](t)(space.s3.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: space.bucket, Key: aws.String("copy"), CopySource: aws.String(*space.bucket + "/two+words"),
	}))
	space.isIndexed([]string{"copy", "two words"})
}

func TestChecksumsAreKeptAndCompared(t *testing.T) {
	space := newSpace(t)
	for _, algorithm := range []types.ChecksumAlgorithm{"CRC32", "CRC32C", "SHA1", "SHA256", "CRC64NVME"} {
		must[*s3.PutObjectOutput](t)(space.s3.PutObject(ctx, &s3.PutObjectInput{
			Bucket: space.bucket, Key: aws.String("sum"), Body: strings.NewReader("content"), ChecksumAlgorithm: algorithm,
		}))
		head := must[*s3.HeadObjectOutput](t)(space.s3.HeadObject(ctx, &s3.HeadObjectInput{
			Bucket: space.bucket, Key: aws.String("sum"), ChecksumMode: types.ChecksumModeEnabled,
		}))
		sums := map[types.ChecksumAlgorithm]*string{
			"CRC32": head.ChecksumCRC32, "CRC32C": head.ChecksumCRC32C, "SHA1": head.ChecksumSHA1,
			"SHA256": head.ChecksumSHA256, "CRC64NVME": head.ChecksumCRC64NVME,
		}
		if sums[algorithm] == nil {
			t.Errorf("%s is not kept", algorithm)
		}
		// The SDK compares it with what it reads.
		if got := space.get("sum"); string(got) != "content" {
			t.Errorf("%s: %q", algorithm, got)
		}
	}
	var answer smithy.APIError
	_, err := space.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: space.bucket, Key: aws.String("sum"), Body: strings.NewReader("content"), ChecksumCRC32: aws.String("AAAAAA=="),
	})
	if !errors.As(err, &answer) || answer.ErrorCode() != "BadDigest" {
		t.Errorf("a wrong checksum: %v", err)
	}
}

func TestTheTransferManagerMovesALargeObject(t *testing.T) {
	space := newSpace(t)
	body := content(large(t) + 7)
	for _, kind := range []managed.GetObjectType{managed.GetObjectParts, managed.GetObjectRanges} {
		manager := transfermanager.New(space.s3, func(options *transfermanager.Options) { options.GetObjectType = kind })
		must[*transfermanager.UploadObjectOutput](t)(manager.UploadObject(ctx, &transfermanager.UploadObjectInput{
			Bucket: space.bucket, Key: aws.String("large"), Body: bytes.NewReader(body),
		}))
		file := must[*os.File](t)(os.Create(filepath.Join(t.TempDir(), "large")))
		defer file.Close()
		must[*transfermanager.DownloadObjectOutput](t)(manager.DownloadObject(ctx, &transfermanager.DownloadObjectInput{
			Bucket: space.bucket, Key: aws.String("large"), WriterAt: file,
		}))
		if got := must[[]byte](t)(os.ReadFile(file.Name())); !bytes.Equal(got, body) {
			t.Fatalf("%v: other content", kind)
		}
		streamed := must[*transfermanager.GetObjectOutput](t)(manager.GetObject(ctx, &transfermanager.GetObjectInput{
			Bucket: space.bucket, Key: aws.String("large"),
		}))
		if got := must[[]byte](t)(io.ReadAll(streamed.Body)); !bytes.Equal(got, body) {
			t.Fatalf("%v: other content in a stream", kind)
		}
	}
	space.isIndexed([]string{"large"})
}

func TestTheTransferManagerCopiesAFolderThereAndBack(t *testing.T) {
	space := newSpace(t)
	folder, back := t.TempDir(), t.TempDir()
	keys := append([]string{"large"}, oddKeys...)
	for _, key := range keys {
		file := filepath.Join(folder, key)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		body := []byte(key)
		if key == "large" {
			body = content(large(t))
		}
		if err := os.WriteFile(file, body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	manager := transfermanager.New(space.s3)
	up := must[*transfermanager.UploadDirectoryOutput](t)(manager.UploadDirectory(ctx, &transfermanager.UploadDirectoryInput{
		Bucket: space.bucket, Source: &folder, Recursive: aws.Bool(true),
	}))
	if up.ObjectsUploaded != int64(len(keys)) || up.ObjectsFailed != 0 {
		t.Fatalf("%+v", up)
	}
	space.isIndexed(keys)
	down := must[*transfermanager.DownloadDirectoryOutput](t)(manager.DownloadDirectory(ctx, &transfermanager.DownloadDirectoryInput{
		Bucket: space.bucket, Destination: &back,
	}))
	if down.ObjectsDownloaded != int64(len(keys)) {
		t.Fatalf("%+v", down)
	}
	for _, key := range keys {
		there := must[[]byte](t)(os.ReadFile(filepath.Join(folder, key)))
		if got := must[[]byte](t)(os.ReadFile(filepath.Join(back, key))); !bytes.Equal(got, there) {
			t.Fatalf("%q: other content", key)
		}
	}
}

func TestAnObjectOfPartsTellsOfItsParts(t *testing.T) {
	space := newSpace(t)
	manager := transfermanager.New(space.s3)
	body := content(20*megabyte + 7)
	must[*transfermanager.UploadObjectOutput](t)(manager.UploadObject(ctx, &transfermanager.UploadObjectInput{
		Bucket: space.bucket, Key: aws.String("large"), Body: bytes.NewReader(body),
	}))
	head := must[*s3.HeadObjectOutput](t)(space.s3.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket: space.bucket, Key: aws.String("large"), PartNumber: aws.Int32(1),
	}))
	if aws.ToInt32(head.PartsCount) != 3 || *head.ContentLength != 8*megabyte {
		t.Errorf("%d parts, the first of %d bytes", aws.ToInt32(head.PartsCount), *head.ContentLength)
	}
	attributes := must[*s3.GetObjectAttributesOutput](t)(space.s3.GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{
		Bucket: space.bucket, Key: aws.String("large"),
		ObjectAttributes: []types.ObjectAttributes{types.ObjectAttributesObjectSize, types.ObjectAttributesObjectParts},
	}))
	if *attributes.ObjectSize != int64(len(body)) || *attributes.ObjectParts.TotalPartsCount != 3 {
		t.Errorf("%+v", attributes)
	}
}

func TestAPresignedURLIsTakenAndRefusedWhenChanged(t *testing.T) {
	space := newSpace(t)
	space.put("a b+c", []byte("signed"))
	presigner := s3.NewPresignClient(space.s3)
	request, err := presigner.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: space.bucket, Key: aws.String("a b+c")})
	if err != nil {
		t.Fatal(err)
	}
	for url, status := range map[string]int{
		request.URL: 200,
		strings.Replace(request.URL, "/a%20b%2Bc", "/other", 1): 403,
	} {
		reply := must[*http.Response](t)(http.Get(url))
		reply.Body.Close()
		if reply.StatusCode != status {
			t.Errorf("%s: %d", url, reply.StatusCode)
		}
	}
}

func TestErrorsAreTold(t *testing.T) {
	space := newSpace(t)
	_, absent := space.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: space.bucket, Key: aws.String("none")})
	_, denied := client("wrong").ListBuckets(ctx, &s3.ListBucketsInput{})
	_, wrong := space.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: space.bucket, Key: aws.String("a"), Body: strings.NewReader("a"),
		ContentMD5: aws.String("AAAAAAAAAAAAAAAAAAAAAA=="),
	})
	for code, err := range map[string]error{"NoSuchKey": absent, "SignatureDoesNotMatch": denied, "BadDigest": wrong} {
		var answer smithy.APIError
		var identified s3.ResponseError
		if !errors.As(err, &answer) || answer.ErrorCode() != code {
			t.Errorf("wanted %s: %v", code, err)
		} else if !errors.As(err, &identified) || identified.ServiceRequestID() == "" {
			t.Errorf("no request id: %v", err)
		}
	}
}
