package inkserve;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpVersion;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** Answers with a JSON body. */
final class Answers {
    /** Address of the description of this API, and its place in this jar. */
    static final String DESCRIPTION = "/openapi.json";

    private Answers() {}

    static FullHttpResponse json(HttpResponseStatus status, JsonElement document) {
        return json(status, Unpooled.copiedBuffer(document.toString(), StandardCharsets.UTF_8));
    }

    static FullHttpResponse description() {
        try (InputStream packed = Answers.class.getResourceAsStream(DESCRIPTION)) {
            return json(HttpResponseStatus.OK, Unpooled.wrappedBuffer(packed.readAllBytes()));
        } catch (IOException damaged) {
            throw new UncheckedIOException(damaged);
        }
    }

    private static FullHttpResponse json(HttpResponseStatus status, ByteBuf body) {
        FullHttpResponse response = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, status, body);
        response.headers().set(HttpHeaderNames.CONTENT_TYPE, HttpHeaderValues.APPLICATION_JSON);
        response.headers().set(HttpHeaderNames.CONTENT_LENGTH, body.readableBytes());
        return response;
    }

    /** An error in the form of TorchServe's own. */
    static FullHttpResponse error(HttpResponseStatus status, String type, String message) {
        JsonObject error = new JsonObject();
        error.addProperty("code", status.code());
        error.addProperty("type", type);
        error.addProperty("message", message);
        return json(status, error);
    }
}
