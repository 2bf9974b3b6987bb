package mediadex.sdk;

import com.aliyun.tea.NameInMap;
import com.aliyun.tea.TeaModel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Field;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Whether a reply has the members and types that the SDK's models declare. The SDK itself passes
 * over a member that it does not know, and makes a number of a text where it can.
 */
final class Shapes {
    /**
     * What mediadex tells beyond this SDK, by the model: members of newer versions, and a few of
     * its own. Every SDK passes over them.
     */
    private static final Map<String, Set<String>> MORE = Map.of(
            "Project", Set.of("Tags"),
            "Dataset", Set.of("WorkflowParameters"),
            "Binding", Set.of("Reason"),
            "File", fields("", Set.of("ObjectStatus", "Reason")),
            "VideoStream", fields("VideoStreams[].", Set.of()),
            "Figure", Set.of("FigureName"),
            "TaskInfo", Set.of("ProjectName", "EventId"),
            "SemanticQueryResponseBody", Set.of("Parse", "TotalHits"));

    private Shapes() {}

    /** The fields that docs/fields.md lists, of {@code File} or of what it names by a prefix, and some more. */
    private static Set<String> fields(String prefix, Set<String> more) {
        Set<String> names = new HashSet<>(more);
        Path list = Path.of(System.getenv("MEDIADEX_ROOT"), "docs", "fields.md");
        try (Stream<String> lines = Files.lines(list)) {
            lines.filter(line -> line.startsWith("| `"))
                    .flatMap(line -> Pattern.compile("`([^`]+)`").matcher(line.split("\\|")[1]).results())
                    .map(found -> found.group(1))
                    .filter(name -> name.startsWith(prefix))
                    .forEach(name -> names.add(name.substring(prefix.length())));
        } catch (IOException unread) {
            throw new UncheckedIOException(unread);
        }
        return names;
    }

    /** Everything in a reply that its model does not declare. */
    static List<String> misfits(Object value, Type type, String place) {
        List<String> found = new ArrayList<>();
        collect(value, type, place, found);
        return found;
    }

    private static void collect(Object value, Type type, String place, List<String> found) {
        if (type instanceof ParameterizedType generic) {
            Type item = generic.getActualTypeArguments()[generic.getActualTypeArguments().length - 1];
            if (generic.getRawType() == List.class) {
                if (!(value instanceof List<?> list)) {
                    found.add(place + ": not a list: " + value);
                    return;
                }
                for (int index = 0; index < list.size(); index++) {
                    collect(list.get(index), item, place + "[" + index + "]", found);
                }
            } else if (!(value instanceof Map<?, ?> map)) {
                found.add(place + ": not an object: " + value);
            } else {
                map.forEach((name, each) -> {
                    if (item instanceof Class<?> || item instanceof ParameterizedType) {
                        collect(each, item, place + "." + name, found);
                    }
                });
            }
            return;
        }
        Class<?> kind = (Class<?>) type;
        if (TeaModel.class.isAssignableFrom(kind)) {
            if (value instanceof Map<?, ?> map) {
                collectMembers(map, kind, place, found);
            } else {
                found.add(place + ": not an object: " + value);
            }
        } else if (kind != Object.class && !fits(value, kind)) {
            found.add(place + ": not a " + kind.getSimpleName() + ": " + value);
        }
    }

    private static void collectMembers(Map<?, ?> map, Class<?> kind, String place, List<String> found) {
        Map<String, Type> members = new HashMap<>();
        for (Field field : kind.getFields()) {
            NameInMap name = field.getAnnotation(NameInMap.class);
            if (name != null) {
                members.put(name.value(), field.getGenericType());
            }
        }
        String model = kind.getSimpleName();
        map.forEach((name, each) -> {
            if (members.containsKey(name)) {
                collect(each, members.get(name), place + "." + name, found);
            } else if (!MORE.getOrDefault(model, Set.of()).contains(name)) {
                found.add(place + "." + name + ": not a member of " + model);
            }
        });
    }

    /** The core reads JSON's numbers as whole ones (Long) or others (Double). */
    private static boolean fits(Object value, Class<?> kind) {
        if (kind == Integer.class || kind == Long.class) {
            return value instanceof Long || value instanceof Integer;
        }
        if (kind == Float.class || kind == Double.class) {
            return value instanceof Number;
        }
        return kind.isInstance(value);
    }
}
