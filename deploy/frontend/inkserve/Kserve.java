package inkserve;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What KServe's protocols V1 and V2 (the Open Inference Protocol) ask of a server besides predictions. */
final class Kserve {
    private static final Pattern V1_MODEL = Pattern.compile("/v1/models/([^/:]+)");
    private static final Pattern V2_MODEL = Pattern.compile("/v2/models/([^/]+)(?:/versions/([^/]+))?(/ready)?");
    private static final String PLATFORM = "pytorch_torchserve";

    private Kserve() {}

    /** The answer to a GET; null for an address of neither protocol. */
    static FullHttpResponse answer(String path) {
        switch (path) {
            case "/v1/models":
                return models();
            case "/v2":
                return server();
            case "/v2/health/live":
                return Answers.json(HttpResponseStatus.OK, property("live", true));
            case "/v2/health/ready":
                boolean isReady = Readiness.look().isReady();
                return Answers.json(status(isReady), property("ready", isReady));
            default:
        }
        Matcher found = V1_MODEL.matcher(path);
        if (found.matches()) {
            return readiness(found.group(1), null);
        }
        found = V2_MODEL.matcher(path);
        if (found.matches()) {
            boolean isProbe = found.group(3) != null;
            return isProbe ? readiness(found.group(1), found.group(2)) : metadata(found.group(1), found.group(2));
        }
        return null;
    }

    /** The address of a prediction in TorchServe's own form. */
    static String translated(Target target) {
        String version = target.version == null ? "" : "/" + encoded(target.version);
        return "/" + target.action + "/" + encoded(target.model) + version;
    }

    private static FullHttpResponse models() {
        JsonArray names = new JsonArray();
        TreeSet<String> found = new TreeSet<>();
        Readiness.look().document().getAsJsonArray("versions")
                .forEach(each -> found.add(each.getAsJsonObject().get("model").getAsString()));
        found.forEach(names::add);
        JsonObject document = new JsonObject();
        document.add("models", names);
        return Answers.json(HttpResponseStatus.OK, document);
    }

    private static FullHttpResponse server() {
        JsonObject document = new JsonObject();
        document.addProperty("name", "inkserve");
        document.addProperty("version", "2");
        document.add("extensions", new JsonArray());
        return Answers.json(HttpResponseStatus.OK, document);
    }

    private static FullHttpResponse readiness(String model, String version) {
        List<JsonObject> found = versions(model, version);
        if (found.isEmpty()) {
            return unknown(model, version);
        }
        boolean isReady = found.stream().anyMatch(each -> each.get("ready_workers").getAsInt() > 0);
        JsonObject document = property("ready", isReady);
        document.addProperty("name", model);
        return Answers.json(status(isReady), document);
    }

    private static FullHttpResponse metadata(String model, String version) {
        List<JsonObject> found = versions(model, version);
        if (found.isEmpty()) {
            return unknown(model, version);
        }
        JsonObject document = new JsonObject();
        document.addProperty("name", model);
        JsonArray versions = new JsonArray();
        found.forEach(each -> versions.add(each.get("version").getAsString()));
        document.add("versions", versions);
        document.addProperty("platform", PLATFORM);
        document.add("inputs", tensors("image", "BYTES"));
        document.add("outputs", tensors("label", "BYTES", "confidence", "FP32", "answer", "BYTES"));
        return Answers.json(HttpResponseStatus.OK, document);
    }

    /** Pairs of name and type; handwriting.serving.infer takes and makes these. */
    private static JsonArray tensors(String... namesAndTypes) {
        JsonArray tensors = new JsonArray();
        for (int i = 0; i < namesAndTypes.length; i += 2) {
            JsonObject tensor = new JsonObject();
            tensor.addProperty("name", namesAndTypes[i]);
            tensor.addProperty("datatype", namesAndTypes[i + 1]);
            JsonArray shape = new JsonArray();
            shape.add(-1); // as many as there are pictures
            tensor.add("shape", shape);
            tensors.add(tensor);
        }
        return tensors;
    }

    private static List<JsonObject> versions(String model, String version) {
        List<JsonObject> found = new ArrayList<>();
        for (JsonElement each : Readiness.look().document().getAsJsonArray("versions")) {
            JsonObject state = each.getAsJsonObject();
            boolean isVersion = version == null || state.get("version").getAsString().equals(version);
            if (state.get("model").getAsString().equals(model) && isVersion) {
                found.add(state);
            }
        }
        return found;
    }

    private static FullHttpResponse unknown(String model, String version) {
        JsonObject document = new JsonObject();
        document.addProperty("error", "no model " + model + (version == null ? "" : " " + version) + " is loaded");
        return Answers.json(HttpResponseStatus.NOT_FOUND, document);
    }

    private static HttpResponseStatus status(boolean isReady) {
        return isReady ? HttpResponseStatus.OK : HttpResponseStatus.SERVICE_UNAVAILABLE;
    }

    private static JsonObject property(String name, boolean value) {
        JsonObject document = new JsonObject();
        document.addProperty(name, value);
        return document;
    }

    private static String encoded(String part) {
        return URLEncoder.encode(part, StandardCharsets.UTF_8).replace("+", "%20");
    }
}
