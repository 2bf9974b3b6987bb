package imagesearch

import (
	"slices"
	"testing"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	imagesearch "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/imagesearch/v1"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/imagesearch/v1/model"

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
	builder := imagesearch.ImageSearchClientBuilder().WithEndpoint(cloud.API).WithCredential(credentials.Build())
	return imagesearch.NewImageSearchClient(builder.Build())
}

func own() *imagesearch.ImageSearchClient {
	return client(local.AccessKeyID, local.AccessKeySecret, "")
}

const instance = "photos"

func to[T any](value T) *T { return &value }

func tags(color string) *any {
	return to[any](map[string]string{"color": color})
}

// requests has a call of each operation, with a body as it may be; its method is Run and its name.
var requests = map[string]any{
	"CreateInstance": &model.RunCreateInstanceRequest{Body: &model.CreateInstanceReq{
		Name: instance, Model: "common-search", Description: to("照片"), Level: to(int32(30000000)), Tags: &[]string{"color"},
	}},
	"QueryInstance":  &model.RunQueryInstanceRequest{InstanceName: instance},
	"DeleteInstance": &model.RunDeleteInstanceRequest{InstanceName: instance},
	"AddPicture": &model.RunAddPictureRequest{InstanceName: instance, Body: &model.AddPictureRequestReq{
		File: to("aGVsbG8="), Path: "a/b 北京.jpg", Tags: tags("red"),
	}},
	"SearchPicture": &model.RunSearchPictureRequest{InstanceName: instance, Body: &model.SearchPictureReq{
		Path: to("a.jpg"), Limit: to(int32(5)),
	}},
	"CheckPicture":  &model.RunCheckPictureRequest{InstanceName: instance, Body: &model.DeletePictureReq{Path: to("a.jpg")}},
	"DeletePicture": &model.RunDeletePictureRequest{InstanceName: instance, Body: &model.DeletePictureReq{Path: to("a.jpg")}},
	"ModifyPicture": &model.RunModifyPictureRequest{InstanceName: instance, Body: &model.RunModifyPictureReq{
		Path: "a.jpg", Tags: tags("blue"),
	}},
}

func TestEachCallOfTheSdkIsInTheTable(t *testing.T) {
	var methods []string
	for operation := range requests {
		methods = append(methods, "Run"+operation)
	}
	slices.Sort(methods)
	if calls := local.Calls(own()); !slices.Equal(calls, methods) {
		t.Fatalf("the SDK has %v, the table %v", calls, methods)
	}
}

func TestASignedCallReachesItsOperation(t *testing.T) {
	client := own()
	for operation, request := range requests {
		// Signed within the same second the second one is the same request to the byte.
		for range 2 {
			local.CheckOutcome(t, local.Run(client, "Run"+operation, request), operation)
		}
	}
}

func TestAWrongSecretIsRefused(t *testing.T) {
	for operation, request := range requests {
		wrong := client(local.AccessKeyID, "wrong", "")
		local.CheckRefused(t, local.Run(wrong, "Run"+operation, request), 401, "APIGW.0301")
		nobody := client("nobody", local.AccessKeySecret, "")
		local.CheckRefused(t, local.Run(nobody, "Run"+operation, request), 401, "APIGW.0301")
	}
}

func TestATemporaryKeyIsLetInWithItsTokenOnly(t *testing.T) {
	id, secret, token := cloud.TemporaryKey(t)
	operation := "SearchPicture"
	request := requests[operation]
	local.CheckOutcome(t, local.Run(client(id, secret, token), "Run"+operation, request), operation)
	local.CheckRefused(t, local.Run(client(id, secret, ""), "Run"+operation, request), 401, "APIGW.0301")
	local.CheckRefused(t, local.Run(client(id, secret, "other"), "Run"+operation, request), 401, "APIGW.0301")
}

func TestAPolicySaysWhichOperation(t *testing.T) {
	id, secret := cloud.AccessKey(t, "imagesearch:SearchPicture", "*")
	client := client(id, secret, "")
	local.CheckOutcome(t, local.Run(client, "RunSearchPicture", requests["SearchPicture"]), "SearchPicture")
	local.CheckRefused(t, local.Run(client, "RunAddPicture", requests["AddPicture"]), 403, "IS.0011")
}
