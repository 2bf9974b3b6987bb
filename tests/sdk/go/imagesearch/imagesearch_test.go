package imagesearch

import (
	"slices"
	"testing"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	imagesearch "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/imagesearch/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/imagesearch/v2/model"

	"mediadex.tests/local"
)

var cloud *local.Cloud

func TestMain(m *testing.M) {
	local.Main(m, func(started *local.Cloud) { cloud = started })
}

// client is made as the SDK's documentation says.
func client(id, secret, token string) *imagesearch.ImageSearchClient {
	credentials := basic.NewCredentialsBuilder().WithAk(id).WithSk(secret).WithProjectId(local.Project)
	if token != "" {
		credentials = credentials.WithSecurityToken(token)
	}
	builder := imagesearch.ImageSearchClientBuilder().WithEndpoints([]string{cloud.API}).WithCredential(credentials.Build())
	return imagesearch.NewImageSearchClient(builder.Build())
}

func own() *imagesearch.ImageSearchClient {
	return client(local.AccessKeyID, local.AccessKeySecret, "")
}

const service = "test_instance"

func to[T any](value T) *T { return &value }

// requests has a call of each operation, with a body as it may be.
func requests(service string) map[string]any {
	tags := map[string]string{"color": "red"}
	values := map[string][]string{"k": {"a", "b"}}
	search := model.GetSearchParamSearchTypeEnum().KEYWORD
	return map[string]any{
		"RunAddData": &model.RunAddDataRequest{ServiceName: service, Body: &model.AddDataParam{
			ItemId: "one", Desc: to("a red car, 红色"), CustomTags: tags, ImageBase64: to("aGVsbG8="),
			OptionalParams: &model.AddDataOptionalParam{DoDet: to(false)},
		}},
		"RunCheckData": &model.RunCheckDataRequest{ServiceName: service, Body: &model.CheckParam{CustomTags: values}},
		"RunDeleteData": &model.RunDeleteDataRequest{ServiceName: service, Body: &model.DeleteParam{
			ItemId: to("one"), Force: to(true),
		}},
		"RunSearch": &model.RunSearchRequest{ServiceName: service, Body: &model.SearchParam{
			SearchType: search, Keywords: &[]string{"car", "北京"}, Limit: to(int32(5)),
		}},
		"RunUpdateData": &model.RunUpdateDataRequest{ServiceName: service, Body: &model.UpdateParam{
			ItemId: "one", Desc: to("blue, é"),
		}},
	}
}

func TestEachCallOfTheSdkIsInTheTable(t *testing.T) {
	var methods []string
	for operation := range requests(service) {
		methods = append(methods, operation)
	}
	slices.Sort(methods)
	if calls := local.Calls(own()); !slices.Equal(calls, methods) {
		t.Fatalf("the SDK has %v, the table %v", calls, methods)
	}
}

func TestASignedCallReachesItsOperation(t *testing.T) {
	client := own()
	for operation, request := range requests(service) {
		// Signed within the same second the second one is the same request to the byte.
		for range 2 {
			local.CheckOutcome(t, local.Run(client, operation, request), operation)
		}
	}
}

func TestAWrongSecretIsRefused(t *testing.T) {
	for operation, request := range requests(service) {
		wrong := client(local.AccessKeyID, "wrong", "")
		local.CheckRefused(t, local.Run(wrong, operation, request), 401, "APIGW.0301")
		nobody := client("nobody", local.AccessKeySecret, "")
		local.CheckRefused(t, local.Run(nobody, operation, request), 401, "APIGW.0301")
	}
}

func TestATemporaryKeyIsLetInWithItsTokenOnly(t *testing.T) {
	id, secret, token := cloud.TemporaryKey(t)
	operation := "RunSearch"
	request := requests(service)[operation]
	local.CheckOutcome(t, local.Run(client(id, secret, token), operation, request), operation)
	local.CheckRefused(t, local.Run(client(id, secret, ""), operation, request), 401, "APIGW.0301")
	local.CheckRefused(t, local.Run(client(id, secret, "other"), operation, request), 401, "APIGW.0301")
}

func TestAPolicySaysWhichOperationAndInstance(t *testing.T) {
	resource := "acs:imagesearch:*:*:project/" + local.Project + "/instance/" + service
	id, secret := cloud.AccessKey(t, "imagesearch:RunSearch", resource)
	client := client(id, secret, "")
	local.CheckOutcome(t, local.Run(client, "RunSearch", requests(service)["RunSearch"]), "RunSearch")
	local.CheckRefused(t, local.Run(client, "RunAddData", requests(service)["RunAddData"]), 403, "IS.0011")
	local.CheckRefused(t, local.Run(client, "RunSearch", requests("another")["RunSearch"]), 403, "IS.0011")
}

func TestAnOddNameInThePathDoesNotBreakTheSignature(t *testing.T) {
	for _, name := range []string{"with blank", "北京", "a+b&c=d?e#f", "100%"} {
		t.Run(name, func(t *testing.T) {
			local.CheckOutcome(t, local.Run(own(), "RunSearch", requests(name)["RunSearch"]), "RunSearch")
		})
	}
}
