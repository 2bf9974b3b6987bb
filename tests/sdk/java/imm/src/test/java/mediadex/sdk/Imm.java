package mediadex.sdk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.aliyun.imm20200930.Client;
import com.aliyun.tea.TeaException;
import com.aliyun.teaopenapi.models.Config;
import com.aliyun.teaopenapi.models.OpenApiRequest;
import com.aliyun.teaopenapi.models.Params;
import com.aliyun.teautil.models.RuntimeOptions;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;

/** The SDK's client, which holds every reply against the model of its operation. */
final class Imm extends Client {
    /** The operations that were answered, in all tests. */
    static final Set<String> ANSWERED = ConcurrentHashMap.newKeySet();

    Imm(Config config) throws Exception {
        super(config);
    }

    /** Made as docs/clients.md says: the scheme apart from the endpoint. */
    static Config config(Cloud cloud) {
        return new Config().setProtocol("http").setEndpoint(cloud.authority());
    }

    static Config config(Cloud cloud, String id, String secret) {
        return config(cloud).setAccessKeyId(id).setAccessKeySecret(secret);
    }

    static Imm of(Cloud cloud) throws Exception {
        return new Imm(config(cloud, Cloud.ACCESS_KEY_ID, Cloud.ACCESS_KEY_SECRET));
    }

    @Override
    public Map<String, ?> callApi(Params params, OpenApiRequest request, RuntimeOptions runtime) throws Exception {
        Map<String, ?> reply = super.callApi(params, request, runtime);
        Map<?, ?> body = (Map<?, ?>) reply.get("body");
        assertTrue(body.get("RequestId").toString().matches("[0-9A-F-]{36}"), body.toString());
        try {
            Class<?> model = Class.forName("com.aliyun.imm20200930.models." + params.action + "ResponseBody");
            assertEquals(List.of(), Shapes.misfits(body, model, params.action));
        } catch (ClassNotFoundException error) {
            // An operation that this version of the SDK has no model of.
        }
        ANSWERED.add(params.action);
        return reply;
    }

    /** Calls an operation that this version of the SDK has no method for, as its methods do. */
    Map<?, ?> call(String action, Map<String, String> query) throws Exception {
        return call(action, new OpenApiRequest().setQuery(query));
    }

    /** The same with the parameters in the body. */
    Map<?, ?> form(String action, Map<String, String> form) throws Exception {
        return call(action, new OpenApiRequest().setBody(form));
    }

    private Map<?, ?> call(String action, OpenApiRequest request) throws Exception {
        Params params = new Params()
                .setAction(action)
                .setVersion("2020-09-30")
                .setProtocol("HTTPS")
                .setPathname("/")
                .setMethod("POST")
                .setAuthType("AK")
                .setStyle("RPC")
                .setReqBodyType("formData")
                .setBodyType("json");
        Map<String, ?> reply = callApi(params, request, new RuntimeOptions());
        return (Map<?, ?>) reply.get("body");
    }

    /** The error of a call, of which everything that an error tells is there. */
    static TeaException refusal(Callable<?> call, int status, String code) throws Exception {
        try {
            call.call();
        } catch (TeaException error) {
            assertEquals(code, error.getCode(), error.getMessage());
            assertEquals(status, error.getStatusCode(), error.getMessage());
            String id = error.getData().get("RequestId").toString();
            assertTrue(id.matches("[0-9A-F-]{36}"), id);
            assertTrue(error.getMessage().contains(id), error.getMessage());
            assertTrue(error.getData().get("Recommend").toString().contains(code));
            return error;
        }
        throw new AssertionError("no error; wanted " + code);
    }
}
