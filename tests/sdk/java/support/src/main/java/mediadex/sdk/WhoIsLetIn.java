package mediadex.sdk;

import static mediadex.sdk.ImageSearch.checkOutcome;
import static mediadex.sdk.ImageSearch.checkRefused;
import static mediadex.sdk.ImageSearch.keyPair;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonObject;
import com.huaweicloud.sdk.core.auth.BasicCredentials;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What holds of every version of Huawei Cloud's ImageSearch SDK: who is let in. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class WhoIsLetIn {
    protected Cloud cloud;
    /** The operation that is called where one is enough. */
    private final String one;

    protected WhoIsLetIn(String one) {
        this.one = one;
    }

    @BeforeAll
    void start() throws Exception {
        cloud = Cloud.shared();
    }

    /** The names of all operations. */
    protected abstract Set<String> operations();

    /** The method of an operation. */
    protected abstract String method(String operation);

    /** A call of an operation, with a body as it may be. */
    protected abstract Object request(String operation);

    protected abstract Object client(BasicCredentials credentials);

    protected abstract Object asynchronousClient(BasicCredentials credentials);

    protected final void isLetIn(Object client, String operation) {
        checkOutcome(client, method(operation), request(operation), operation);
    }

    private void isRefused(BasicCredentials credentials, String operation) {
        checkRefused(client(credentials), method(operation), request(operation), 401, "APIGW.0301");
    }

    @Test
    void eachCallOfTheSdkIsInTheTable() {
        Set<String> methods =
                operations().stream().map(this::method).collect(Collectors.toCollection(TreeSet::new));
        assertEquals(methods, ImageSearch.calls(client(keyPair()).getClass(), ""));
        assertEquals(methods, ImageSearch.calls(asynchronousClient(keyPair()).getClass(), "Async"));
    }

    @ParameterizedTest
    @MethodSource("operations")
    void aSignedCallReachesItsOperation(String operation) {
        Object client = client(keyPair());
        isLetIn(client, operation);
        // Signed within the same second it is the same request to the byte.
        isLetIn(client, operation);
    }

    @ParameterizedTest
    @MethodSource("operations")
    void aCallOfTheAsynchronousClientReachesItToo(String operation) {
        Object client = asynchronousClient(keyPair());
        checkOutcome(client, method(operation) + "Async", request(operation), operation);
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
        isLetIn(client(keyPair(id, secret).withSecurityToken(token)), one);
        isRefused(keyPair(id, secret), one);
        isRefused(keyPair(id, secret).withSecurityToken("other"), one);
    }
}
