package imagesearch

import (
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

func version(service string) local.Version {
	made := func(id, secret, token string) any { return client(id, secret, token) }
	return local.Version{Cloud: cloud, Client: made, Requests: requests(service), One: "RunSearch"}
}

func TestWhoIsLetIn(t *testing.T) {
	version(service).CheckWhoIsLetIn(t)
}

func TestAPolicySaysWhichOperationAndInstance(t *testing.T) {
	resource := "acs:imagesearch:*:*:project/" + local.Project + "/instance/" + service
	id, secret := cloud.AccessKey(t, "imagesearch:RunSearch", resource)
	client := client(id, secret, "")
	local.CheckOutcome(t, version(service).Run(client, "RunSearch"), "RunSearch")
	local.CheckRefused(t, version(service).Run(client, "RunAddData"), 403, "IS.0011")
	local.CheckRefused(t, version("another").Run(client, "RunSearch"), 403, "IS.0011")
}

func TestAnOddNameInThePathDoesNotBreakTheSignature(t *testing.T) {
	for _, name := range []string{"with blank", "北京", "a+b&c=d?e#f", "100%"} {
		t.Run(name, func(t *testing.T) {
			own := client(local.AccessKeyID, local.AccessKeySecret, "")
			local.CheckOutcome(t, version(name).Run(own, "RunSearch"), "RunSearch")
		})
	}
}
