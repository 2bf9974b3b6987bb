package mediadex.sdk;

import static mediadex.sdk.ImageSearch.checkOutcome;
import static mediadex.sdk.ImageSearch.checkRefused;
import static mediadex.sdk.ImageSearch.keyPair;
import static org.junit.jupiter.api.Assertions.assertEquals;

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
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** huaweicloud-sdk-imagesearch 3.0.91, which has the v1 calls: who is let in, and to what. */
class ImageSearchV1Test {
    private static final String INSTANCE = "photos";
    private static Cloud cloud;

    @BeforeAll
    static void start() throws Exception {
        cloud = Cloud.shared();
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

    static Set<String> operations() {
        return new TreeSet<>(REQUESTS.keySet());
    }

    private static ImageSearchClient client(BasicCredentials credentials) {
        return ImageSearch.client(cloud, ImageSearchClient.newBuilder(), credentials);
    }

    private static void isLetIn(Object client, String operation) {
        checkOutcome(client, "run" + operation, REQUESTS.get(operation), operation);
    }

    private static void isRefused(BasicCredentials credentials, String operation) {
        checkRefused(client(credentials), "run" + operation, REQUESTS.get(operation), 401, "APIGW.0301");
    }

    @Test
    void eachCallOfTheSdkIsInTheTable() {
        Set<String> methods = operations().stream()
                .map(operation -> "run" + operation)
                .collect(Collectors.toCollection(TreeSet::new));
        assertEquals(methods, ImageSearch.calls(ImageSearchClient.class, ""));
        assertEquals(methods, ImageSearch.calls(ImageSearchAsyncClient.class, "Async"));
    }

    @ParameterizedTest
    @MethodSource("operations")
    void aSignedCallReachesItsOperation(String operation) {
        ImageSearchClient client = client(keyPair());
        isLetIn(client, operation);
        // Signed within the same second it is the same request to the byte.
        isLetIn(client, operation);
    }

    @ParameterizedTest
    @MethodSource("operations")
    void aCallOfTheAsynchronousClientReachesItToo(String operation) {
        Object client = ImageSearch.client(cloud, ImageSearchAsyncClient.newBuilder(), keyPair());
        checkOutcome(client, "run" + operation + "Async", REQUESTS.get(operation), operation);
    }

    @ParameterizedTest
    @MethodSource("operations")
    void aWrongSecretIsRefused(String operation) {
        isRefused(keyPair(Cloud.ACCESS_KEY_ID, "wrong"), operation);
        isRefused(keyPair("nobody", Cloud.ACCESS_KEY_SECRET), operation);
    }

    @Test
    void aTemporaryKeyIsLetInWithItsTokenOnly() throws Exception {
        JsonObject key = cloud.temporaryKey();
        String id = key.get("AccessKeyId").getAsString();
        String secret = key.get("AccessKeySecret").getAsString();
        String token = key.get("SecurityToken").getAsString();
        isLetIn(client(keyPair(id, secret).withSecurityToken(token)), "SearchPicture");
        isRefused(keyPair(id, secret), "SearchPicture");
        isRefused(keyPair(id, secret).withSecurityToken("other"), "SearchPicture");
    }

    @Test
    void aPolicySaysWhichOperation() throws Exception {
        JsonObject key =
                cloud.accessKey("{'Effect': 'Allow', 'Action': 'imagesearch:SearchPicture', 'Resource': '*'}");
        ImageSearchClient client = client(keyPair(
                key.get("AccessKeyId").getAsString(), key.get("AccessKeySecret").getAsString()));
        isLetIn(client, "SearchPicture");
        checkRefused(client, "runAddPicture", REQUESTS.get("AddPicture"), 403, "IS.0011");
    }
}
