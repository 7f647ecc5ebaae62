package inkserve;

import io.netty.handler.codec.http.QueryStringDecoder;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The recogniser that a request of the inference API is for; KServe's addresses are others for the same. */
final class Target {
    private static final Pattern OWN = Pattern.compile("/(predictions|explanations)/([^/]+)(?:/([^/]+))?(?:/.*)?");
    private static final Pattern V1 = Pattern.compile("/v1/models/([^/:]+)(?:/versions/([^/:]+))?:(predict|explain)");
    private static final Pattern V2 = Pattern.compile("/v2/models/([^/]+)(?:/versions/([^/]+))?/(infer)");

    final String model;
    final String version; // or null
    final String action; // predictions or explanations
    final boolean isKserve;

    private Target(String model, String version, String action, boolean isKserve) {
        this.model = model;
        this.version = version;
        this.action = action.startsWith("exp") ? "explanations" : "predictions";
        this.isKserve = isKserve;
    }

    /** Null if it is for none. */
    static Target of(String uri) {
        QueryStringDecoder decoder = new QueryStringDecoder(uri);
        String path;
        try {
            path = decoder.path();
            if (path.equals("/invocations")) {
                String model = decoder.parameters().getOrDefault("model_name", List.of("")).get(0);
                return new Target(model, null, "predictions", false);
            }
        } catch (IllegalArgumentException malformed) {
            return null; // TorchServe says what is wrong with it
        }
        Matcher found = OWN.matcher(path);
        if (found.matches()) {
            return new Target(found.group(2), found.group(3), found.group(1), false);
        }
        for (Pattern each : new Pattern[] {V1, V2}) {
            found = each.matcher(path);
            if (found.matches()) {
                return new Target(found.group(1), found.group(2), found.group(3), true);
            }
        }
        return null;
    }
}
