package mediadex.sdk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.huaweicloud.sdk.core.ClientBuilder;
import com.huaweicloud.sdk.core.auth.BasicCredentials;
import com.huaweicloud.sdk.core.exception.ServiceResponseException;
import java.lang.reflect.InvocationTargetException;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.stream.Collectors;

/**
 * Clients of Huawei Cloud's ImageSearch SDK, and what their calls come to. The calls of both
 * versions differ in names only.
 */
public final class ImageSearch {
    public static final String PROJECT = "0123456789abcdef0123456789abcdef";

    private ImageSearch() {}

    public static BasicCredentials keyPair(String id, String secret) {
        return new BasicCredentials().withAk(id).withSk(secret).withProjectId(PROJECT);
    }

    public static BasicCredentials keyPair() {
        return keyPair(Cloud.ACCESS_KEY_ID, Cloud.ACCESS_KEY_SECRET);
    }

    /** A client made as the SDK's documentation says. */
    public static <C> C client(Cloud cloud, ClientBuilder<C> builder, BasicCredentials credentials) {
        return builder.withCredential(credentials).withEndpoint(cloud.api()).build();
    }

    /** Calls the method of this name; that of an asynchronous client is waited for. */
    public static Object call(Object client, String method, Object request) throws Throwable {
        try {
            Object reply = client.getClass().getMethod(method, request.getClass()).invoke(client, request);
            return reply instanceof Future<?> future ? future.get() : reply;
        } catch (InvocationTargetException | ExecutionException error) {
            throw error.getCause();
        }
    }

    /** The calls that a client has, by name, without their ending. */
    public static Set<String> calls(Class<?> client, String ending) {
        return Arrays.stream(client.getDeclaredMethods())
                .map(java.lang.reflect.Method::getName)
                .filter(name -> name.startsWith("run") && name.endsWith(ending) && !name.endsWith("Invoker"))
                .map(name -> name.substring(0, name.length() - ending.length()))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    /**
     * What comes of a call that was let in and found its operation. The one place to change when
     * the operations are there: until then the router says that they are not.
     */
    public static void checkOutcome(Object client, String method, Object request, String operation) {
        ServiceResponseException error = refusal(client, method, request);
        assertEquals(Map.entry(404, "APIGW.0101"), said(error), error.toString());
        assertTrue(error.getErrorMsg().startsWith(operation + " is not available"), error.getErrorMsg());
    }

    /** That a call was not let in. */
    public static void checkRefused(Object client, String method, Object request, int status, String code) {
        ServiceResponseException error = refusal(client, method, request);
        assertEquals(Map.entry(status, code), said(error), error.toString());
    }

    private static Map.Entry<Integer, String> said(ServiceResponseException error) {
        return Map.entry(error.getHttpStatusCode(), error.getErrorCode());
    }

    private static ServiceResponseException refusal(Object client, String method, Object request) {
        try {
            call(client, method, request);
        } catch (ServiceResponseException error) {
            assertEquals(36, error.getRequestId().length(), error.toString());
            assertTrue(!error.getErrorMsg().isEmpty());
            return error;
        } catch (Throwable error) {
            throw new AssertionError("not an answer of the service: " + error, error);
        }
        throw new AssertionError("no error");
    }
}
