package imagesearch

import (
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

func version() local.Version {
	made := func(id, secret, token string) any { return client(id, secret, token) }
	return local.Version{Cloud: cloud, Client: made, Requests: requests, Prefix: "Run", One: "SearchPicture"}
}

func TestWhoIsLetIn(t *testing.T) {
	version().CheckWhoIsLetIn(t)
}

func TestAPolicySaysWhichOperation(t *testing.T) {
	id, secret := cloud.AccessKey(t, "imagesearch:SearchPicture", "*")
	client := client(id, secret, "")
	local.CheckOutcome(t, version().Run(client, "SearchPicture"), "SearchPicture")
	local.CheckRefused(t, version().Run(client, "AddPicture"), 403, "IS.0011")
}
