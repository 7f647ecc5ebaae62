package inkserve;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.pytorch.serve.util.TokenAuthorization;
import org.slf4j.LoggerFactory;

/**
 * Named tokens from the file INKSERVE_TOKENS_FILE, which servers may share, beside TorchServe's own.
 *
 * <p>A wrong file is an error at the start. When the file changes later it is read again; a wrong one is logged, and the
 * tokens stay as they were. Messages name the file and the token's name, never a token. Only digests are kept.
 */
public final class Tokens {
    private static final String VARIABLE = "INKSERVE_TOKENS_FILE";
    private static final long POLL_MS = 1000;
    private static final int FEWEST_CHARACTERS = 16;
    private static final String NAME = "[A-Za-z0-9._-]{1,64}";
    private static final Set<String> FIELDS = Set.of("token", "for", "in_flight");
    private static final String WANTED =
            "wanted {\"name\": {\"token\": \"...\", \"for\": \"predictions\" or \"management\", \"in_flight\": 8}}";

    private static volatile List<NamedToken> tokens = List.of();

    private Tokens() {}

    /** Reads the file, if one is named, and watches it from then on. */
    static void start() {
        String name = System.getenv().getOrDefault(VARIABLE, "");
        if (name.isEmpty()) {
            return;
        }
        Path file = Path.of(name);
        Object[] stamp = new Object[1];
        try {
            stamp[0] = stamp(file);
            tokens = read(file, List.of());
        } catch (IOException | IllegalArgumentException fault) {
            throw Setting.fault(message(file, fault));
        }
        Thread watcher = new Thread(() -> watch(file, stamp[0]), "tokens");
        watcher.setDaemon(true);
        watcher.start();
    }

    /** Called at the start of TokenAuthorization.checkTokenAuthorization: true lets a request pass. */
    public static boolean isValid(String token, TokenAuthorization.TokenType type) {
        NamedToken found = find(token);
        return found != null && type.name().equals(found.api == NamedToken.Api.PREDICTIONS ? "INFERENCE" : "MANAGEMENT");
    }

    /** The named token in an Authorization header, or null. */
    static NamedToken ofHeader(String header) {
        return tokens.isEmpty() || header == null ? null : find(TokenAuthorization.parseTokenFromBearerTokenHeader(header));
    }

    /** Looks at all tokens, so that the time tells nothing. */
    private static NamedToken find(String token) {
        List<NamedToken> known = tokens;
        if (known.isEmpty()) {
            return null;
        }
        byte[] digest = digest(token);
        NamedToken found = null;
        for (NamedToken each : known) {
            if (MessageDigest.isEqual(each.digest, digest)) {
                found = each;
            }
        }
        return found;
    }

    private static void watch(Path file, Object first) {
        Object last = first;
        while (true) {
            try {
                Thread.sleep(POLL_MS);
                Object now = stamp(file);
                if (!now.equals(last)) {
                    last = now;
                    tokens = read(file, tokens);
                }
            } catch (IOException | IllegalArgumentException fault) {
                String message = message(file, fault);
                if (!message.equals(last)) {
                    last = message; // said once
                    LoggerFactory.getLogger(Tokens.class).error("{}; the tokens stay as they were", message);
                }
            } catch (InterruptedException ended) {
                return;
            }
        }
    }

    private static Object stamp(Path file) throws IOException {
        BasicFileAttributes found = Files.readAttributes(file, BasicFileAttributes.class);
        return List.of(found.lastModifiedTime(), found.size(), String.valueOf(found.fileKey()));
    }

    /** A token that has the same name and bound as before keeps its count of requests in flight. */
    private static List<NamedToken> read(Path file, List<NamedToken> before) throws IOException {
        Set<PosixFilePermission> allowed = Files.getPosixFilePermissions(file);
        if (allowed.contains(PosixFilePermission.OTHERS_READ) || allowed.contains(PosixFilePermission.OTHERS_WRITE)) {
            throw new IllegalArgumentException("others can read or write it; wanted chmod o-rw");
        }
        JsonElement document;
        try {
            document = JsonParser.parseString(Files.readString(file));
        } catch (JsonParseException | IOException malformed) {
            if (malformed instanceof IOException && !(malformed instanceof java.nio.charset.CharacterCodingException)) {
                throw malformed;
            }
            throw new IllegalArgumentException("it is no JSON document; " + WANTED); // the cause would show content
        }
        if (!document.isJsonObject() || document.getAsJsonObject().size() == 0) {
            throw new IllegalArgumentException("it names no token; " + WANTED);
        }
        List<NamedToken> found = new ArrayList<>();
        for (Map.Entry<String, JsonElement> each : document.getAsJsonObject().entrySet()) {
            NamedToken token = read(each.getKey(), each.getValue());
            if (found.stream().anyMatch(other -> MessageDigest.isEqual(other.digest, token.digest))) {
                throw new IllegalArgumentException("the token of " + token.name + " is that of another name, too");
            }
            found.add(before.stream().filter(token::equals).findFirst().orElse(token));
        }
        return List.copyOf(found);
    }

    private static NamedToken read(String name, JsonElement value) {
        if (!name.matches(NAME)) {
            throw new IllegalArgumentException("a name is not 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'");
        }
        if (!value.isJsonObject() || !FIELDS.containsAll(value.getAsJsonObject().keySet())) {
            throw new IllegalArgumentException(name + " is wrong; " + WANTED);
        }
        JsonObject fields = value.getAsJsonObject();
        String token = text(fields, "token");
        if (!token.matches("[!-~]{" + FEWEST_CHARACTERS + ",}")) {
            throw new IllegalArgumentException(String.format(
                    "the token of %s is not a text of %d or more ASCII characters without spaces", name, FEWEST_CHARACTERS));
        }
        String api = text(fields, "for");
        if (!api.equals("predictions") && !api.equals("management")) {
            throw new IllegalArgumentException(name + " is for neither \"predictions\" nor \"management\"");
        }
        String bound = fields.has("in_flight") ? fields.get("in_flight").toString() : String.valueOf(Integer.MAX_VALUE);
        if (!bound.matches("[1-9][0-9]{0,5}|" + Integer.MAX_VALUE)) {
            throw new IllegalArgumentException("in_flight of " + name + " is no whole number from 1 to 999999");
        }
        return new NamedToken(name, digest(token), NamedToken.Api.valueOf(api.toUpperCase()), Integer.parseInt(bound));
    }

    private static String text(JsonObject fields, String name) {
        JsonElement found = fields.get(name);
        boolean isText = found != null && found.isJsonPrimitive() && found.getAsJsonPrimitive().isString();
        return isText ? found.getAsString() : "";
    }

    private static String message(Path file, Exception fault) {
        String what = fault instanceof IOException ? "it cannot be read (" + fault.getClass().getSimpleName() + ")" : fault.getMessage();
        return VARIABLE + " " + file + ": " + what;
    }

    private static byte[] digest(String token) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(token.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible); // each Java has it
        }
    }
}
