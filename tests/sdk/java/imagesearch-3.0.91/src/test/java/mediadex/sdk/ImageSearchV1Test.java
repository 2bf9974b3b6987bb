package mediadex.sdk;

import static mediadex.sdk.ImageSearch.checkRefused;
import static mediadex.sdk.ImageSearch.keyPair;

import com.google.gson.JsonObject;
import com.huaweicloud.sdk.core.auth.BasicCredentials;
import com.huaweicloud.sdk.imagesearch.v1.ImageSearchAsyncClient;
import com.huaweicloud.sdk.imagesearch.v1.ImageSearchClient;
import com.huaweicloud.sdk.imagesearch.v1.model.AddPictureRequestReq;
import com.huaweicloud.sdk.imagesearch.v1.model.CreateInstanceReq;
import com.huaweicloud.sdk.imagesearch.v1.model.DeletePictureReq;
import com.huaweicloud.sdk.imagesearch.v1.model.RunAddPictureRequest;
import com.huaweicloud.sdk.imagesearch.v1.model.RunCheckPictureRequest;
import com.huaweicloud.sdk.imagesearch.v1.model.RunCreateInstanceRequest;
import com.huaweicloud.sdk.imagesearch.v1.model.RunDeleteInstanceRequest;
import com.huaweicloud.sdk.imagesearch.v1.model.RunDeletePictureRequest;
import com.huaweicloud.sdk.imagesearch.v1.model.RunModifyPictureReq;
import com.huaweicloud.sdk.imagesearch.v1.model.RunModifyPictureRequest;
import com.huaweicloud.sdk.imagesearch.v1.model.RunQueryInstanceRequest;
import com.huaweicloud.sdk.imagesearch.v1.model.RunSearchPictureRequest;
import com.huaweicloud.sdk.imagesearch.v1.model.SearchPictureReq;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** huaweicloud-sdk-imagesearch 3.0.91, which has the v1 calls: who is let in, and to what. */
class ImageSearchV1Test extends WhoIsLetIn {
    private static final String INSTANCE = "photos";

    ImageSearchV1Test() {
        super("SearchPicture");
    }

    /** A call of each operation, with a body as it may be; its method is `run` and its name. */
    private static final Map<String, Object> REQUESTS = Map.of(
            "CreateInstance",
            new RunCreateInstanceRequest()
                    .withBody(new CreateInstanceReq()
                            .withName(INSTANCE)
                            .withModel("common-search")
                            .withDescription("照片")
                            .withLevel(30000000)
                            .withTags(List.of("color"))),
            "QueryInstance",
            new RunQueryInstanceRequest().withInstanceName(INSTANCE),
            "DeleteInstance",
            new RunDeleteInstanceRequest().withInstanceName(INSTANCE),
            "AddPicture",
            new RunAddPictureRequest()
                    .withInstanceName(INSTANCE)
                    .withBody(new AddPictureRequestReq()
                            .withFile("aGVsbG8=")
                            .withPath("a/b 北京.jpg")
                            .withTags(Map.of("color", "red"))),
            "SearchPicture",
            new RunSearchPictureRequest()
                    .withInstanceName(INSTANCE)
                    .withBody(new SearchPictureReq().withPath("a.jpg").withLimit(5)),
            "CheckPicture",
            new RunCheckPictureRequest()
                    .withInstanceName(INSTANCE)
                    .withBody(new DeletePictureReq().withPath("a.jpg")),
            "DeletePicture",
            new RunDeletePictureRequest()
                    .withInstanceName(INSTANCE)
                    .withBody(new DeletePictureReq().withPath("a.jpg")),
            "ModifyPicture",
            new RunModifyPictureRequest()
                    .withInstanceName(INSTANCE)
                    .withBody(new RunModifyPictureReq().withPath("a.jpg").withTags(Map.of("color", "blue"))));

    @Override
    protected Set<String> operations() {
        return new TreeSet<>(REQUESTS.keySet());
    }

    @Override
    protected String method(String operation) {
        return "run" + operation;
    }

    @Override
    protected Object request(String operation) {
        return REQUESTS.get(operation);
    }

    @Override
    protected Object client(BasicCredentials credentials) {
        return ImageSearch.client(cloud, ImageSearchClient.newBuilder(), credentials);
    }

    @Override
    protected Object asynchronousClient(BasicCredentials credentials) {
        return ImageSearch.client(cloud, ImageSearchAsyncClient.newBuilder(), credentials);
    }

    @Test
    void aPolicySaysWhichOperation() throws Exception {
        JsonObject key =
                cloud.accessKey("{'Effect': 'Allow', 'Action': 'imagesearch:SearchPicture', 'Resource': '*'}");
        Object client = client(keyPair(
                key.get("AccessKeyId").getAsString(), key.get("AccessKeySecret").getAsString()));
        isLetIn(client, "SearchPicture");
        checkRefused(client, "runAddPicture", REQUESTS.get("AddPicture"), 403, "IS.0011");
    }
}
