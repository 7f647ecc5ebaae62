package inkserve;

import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.cors.CorsConfig;
import io.netty.handler.codec.http.cors.CorsConfigBuilder;

/** Which pages of other origins may read answers: those that CORS_ORIGINS names, with commas; by default none. */
final class Cors {
    private static final String VARIABLE = "CORS_ORIGINS";
    private static final String ORIGIN = "https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?|https?://\\[[0-9a-fA-F:]+\\](:[0-9]{1,5})?";
    private static final long REMEMBERED_S = 600; // a browser asks again after it

    /** Null if there are none. */
    static final CorsConfig CONFIG = read(System.getenv().getOrDefault(VARIABLE, ""));

    private Cors() {}

    /** A wrong setting is an error at the start, not at the first connection. */
    static void check() {} // the class is initialised

    private static CorsConfig read(String setting) {
        if (setting.isEmpty()) {
            return null;
        }
        String[] origins = setting.split(",", -1);
        for (String each : origins) {
            if (!each.matches(ORIGIN)) {
                throw Setting.fault(String.format(
                        "%s has '%s'; wanted origins such as https://shop.example, with commas between them", VARIABLE, each));
            }
        }
        return CorsConfigBuilder.forOrigins(origins)
                .allowedRequestMethods(HttpMethod.GET, HttpMethod.POST)
                .allowedRequestHeaders(
                        "authorization", "content-type", "content-encoding", "x-top-k", "x-timing", "x-request-id")
                .exposeHeaders("x-request-id", "server-timing", "retry-after")
                .maxAge(REMEMBERED_S)
                .build();
    }
}
