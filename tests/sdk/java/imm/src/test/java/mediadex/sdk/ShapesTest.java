package mediadex.sdk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.aliyun.imm20200930.models.SimpleQueryResponseBody;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** That the check of every reply's members and types finds what it is for. */
class ShapesTest {
    private static List<String> misfits(Map<String, ?> file) {
        Map<String, ?> body = Map.of("RequestId", "a", "Files", List.of(file));
        return Shapes.misfits(body, SimpleQueryResponseBody.class, "SimpleQuery");
    }

    @Test
    void whatIsDeclaredPasses() {
        assertEquals(List.of(), misfits(Map.of("Size", 1L, "Duration", 1L, "CustomLabels", Map.of("a", "b"))));
    }

    static List<Map<String, ?>> wrong() {
        Map<String, ?> nothing = new HashMap<>();
        nothing.put("Size", null);
        return List.of(
                nothing,
                Map.of("Size", "1"),
                Map.of("Size", 1.5),
                Map.of("Size", true),
                Map.of("Duration", "1.5"),
                Map.of("URI", 1L),
                Map.of("CustomLabels", List.of()),
                Map.of("Addresses", Map.of()),
                Map.of("Addresses", List.of("Paris")),
                Map.of("Addresses", List.of(Map.of("City", 1L))),
                Map.of("ImageScore", "1"),
                Map.of("Sise", 1L));
    }

    @ParameterizedTest
    @MethodSource("wrong")
    void anythingElseIsFound(Map<String, ?> file) {
        List<String> found = misfits(file);
        assertEquals(1, found.size(), found.toString());
        assertTrue(found.get(0).startsWith("SimpleQuery.Files[0]."), found.toString());
    }
}
