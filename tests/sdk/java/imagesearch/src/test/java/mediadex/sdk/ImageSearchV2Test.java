package mediadex.sdk;

import static mediadex.sdk.ImageSearch.PROJECT;
import static mediadex.sdk.ImageSearch.checkOutcome;
import static mediadex.sdk.ImageSearch.checkRefused;
import static mediadex.sdk.ImageSearch.keyPair;

import com.google.gson.JsonObject;
import com.huaweicloud.sdk.core.auth.BasicCredentials;
import com.huaweicloud.sdk.imagesearch.v2.ImageSearchAsyncClient;
import com.huaweicloud.sdk.imagesearch.v2.ImageSearchClient;
import com.huaweicloud.sdk.imagesearch.v2.model.AddDataOptionalParam;
import com.huaweicloud.sdk.imagesearch.v2.model.AddDataParam;
import com.huaweicloud.sdk.imagesearch.v2.model.CheckParam;
import com.huaweicloud.sdk.imagesearch.v2.model.DeleteParam;
import com.huaweicloud.sdk.imagesearch.v2.model.RunAddDataRequest;
import com.huaweicloud.sdk.imagesearch.v2.model.RunCheckDataRequest;
import com.huaweicloud.sdk.imagesearch.v2.model.RunDeleteDataRequest;
import com.huaweicloud.sdk.imagesearch.v2.model.RunSearchRequest;
import com.huaweicloud.sdk.imagesearch.v2.model.RunUpdateDataRequest;
import com.huaweicloud.sdk.imagesearch.v2.model.SearchParam;
import com.huaweicloud.sdk.imagesearch.v2.model.UpdateParam;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** huaweicloud-sdk-imagesearch 3.1.143, which has the v2 calls: who is let in, and to what. */
class ImageSearchV2Test extends WhoIsLetIn {
    private static final String SERVICE = "test_instance";

    ImageSearchV2Test() {
        super("RunSearch");
    }

    /** The method of each operation. */
    private static final Map<String, String> METHODS = Map.of(
            "RunAddData", "runAddData",
            "RunCheckData", "runCheckData",
            "RunDeleteData", "runDeleteData",
            "RunSearch", "runSearch",
            "RunUpdateData", "runUpdateData");

    @Override
    protected Set<String> operations() {
        return new TreeSet<>(METHODS.keySet());
    }

    @Override
    protected String method(String operation) {
        return METHODS.get(operation);
    }

    @Override
    protected Object request(String operation) {
        return request(operation, SERVICE);
    }

    /** A call of each operation, with a body as it may be. */
    private static Object request(String operation, String service) {
        return switch (operation) {
            case "RunAddData" -> new RunAddDataRequest()
                    .withServiceName(service)
                    .withBody(new AddDataParam()
                            .withItemId("one")
                            .withDesc("a red car, 红色")
                            .withCustomTags(Map.of("color", "red"))
                            .withImageBase64("aGVsbG8=")
                            .withOptionalParams(new AddDataOptionalParam().withDoDet(false)));
            case "RunCheckData" -> new RunCheckDataRequest()
                    .withServiceName(service)
                    .withBody(new CheckParam().withCustomTags(Map.of("k", List.of("a", "b"))));
            case "RunDeleteData" -> new RunDeleteDataRequest()
                    .withServiceName(service)
                    .withBody(new DeleteParam().withItemId("one").withForce(true));
            case "RunSearch" -> new RunSearchRequest()
                    .withServiceName(service)
                    .withBody(new SearchParam()
                            .withSearchType(SearchParam.SearchTypeEnum.KEYWORD)
                            .withKeywords(List.of("car", "北京"))
                            .withLimit(5));
            case "RunUpdateData" -> new RunUpdateDataRequest()
                    .withServiceName(service)
                    .withBody(new UpdateParam().withItemId("one").withDesc("blue, é"));
            default -> throw new IllegalArgumentException(operation);
        };
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
    void aPolicySaysWhichOperationAndInstance() throws Exception {
        JsonObject key = cloud.accessKey(("{'Effect': 'Allow', 'Action': 'imagesearch:RunSearch',"
                        + " 'Resource': 'acs:imagesearch:*:*:project/%s/instance/%s'}")
                .formatted(PROJECT, SERVICE));
        Object client = client(keyPair(
                key.get("AccessKeyId").getAsString(), key.get("AccessKeySecret").getAsString()));
        isLetIn(client, "RunSearch");
        checkRefused(client, "runAddData", request("RunAddData", SERVICE), 403, "IS.0011");
        checkRefused(client, "runSearch", request("RunSearch", "another"), 403, "IS.0011");
    }

    // Without ? and #: the SDK sends them as they are, so that the path ends there.
    @ParameterizedTest
    @ValueSource(strings = {"with blank", "北京", "a+b&c=d", "100%"})
    void anOddNameInThePathDoesNotBreakTheSignature(String service) {
        checkOutcome(client(keyPair()), "runSearch", request("RunSearch", service), "RunSearch");
    }
}
