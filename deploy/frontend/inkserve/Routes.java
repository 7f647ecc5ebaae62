package inkserve;

import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.QueryStringDecoder;
import io.netty.util.ReferenceCountUtil;
import java.util.regex.Pattern;

/** Answers the addresses of the inference port that TorchServe does not have; passes on the others. */
final class Routes extends ChannelInboundHandlerAdapter {
    private static final String INFER_HEADER = "url_infer"; // handwriting.serving.infer reads it
    private static final String QUERY_HEADER = "url_query"; // handwriting.parsing reads it
    private static final Pattern CONTROL = Pattern.compile("\\p{Cntrl}");

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        if (!(message instanceof FullHttpRequest)) {
            context.fireChannelRead(message); // the rest of a request that was refused
            return;
        }
        FullHttpRequest request = (FullHttpRequest) message;
        FullHttpResponse answer = answer(request);
        if (answer == null) {
            translate(request);
            context.fireChannelRead(message);
            return;
        }
        boolean isKept = HttpUtil.isKeepAlive(request);
        answer.headers()
                .set(HttpHeaderNames.CONNECTION, isKept ? HttpHeaderValues.KEEP_ALIVE : HttpHeaderValues.CLOSE)
                .set(HttpHeaderNames.CACHE_CONTROL, HttpHeaderValues.NO_STORE);
        ReferenceCountUtil.release(message);
        context.writeAndFlush(answer).addListener(isKept ? ignored -> {} : ChannelFutureListener.CLOSE);
    }

    /**
     * KServe's addresses of predictions become TorchServe's. TorchServe drops the query of a prediction: it becomes a header,
     * as TorchServe does with the rest of a path.
     */
    private static void translate(FullHttpRequest request) {
        request.headers().remove(QUERY_HEADER).remove(INFER_HEADER); // a client's own would be taken for ours
        String uri = request.uri();
        Target target = Target.of(uri);
        if (target == null) {
            return;
        }
        int start = uri.indexOf('?');
        boolean isDropped = !uri.startsWith("/invocations"); // there TorchServe passes it on
        if (start >= 0 && isDropped) {
            request.headers().set(QUERY_HEADER, escaped(uri.substring(start + 1)));
        }
        if (target.isKserve) {
            request.setUri(Kserve.translated(target));
            if (uri.startsWith("/v2/")) {
                request.headers().set(INFER_HEADER, "2");
            }
        }
    }

    /** Control characters, which a client may send though it should not, as %XX: no header can hold them. */
    private static String escaped(String query) {
        return CONTROL.matcher(query).replaceAll(found -> String.format("%%%02X", (int) found.group().charAt(0)));
    }

    /** Null for an address of TorchServe. */
    private static FullHttpResponse answer(FullHttpRequest request) {
        boolean isGet = request.method().equals(HttpMethod.GET) || request.method().equals(HttpMethod.HEAD);
        if (!request.decoderResult().isSuccess() || !isGet) {
            return null;
        }
        String path = path(request.uri());
        switch (path) {
            case "/ready":
                return ready();
            case Answers.DESCRIPTION:
                return Answers.description();
            default:
                return Kserve.answer(path);
        }
    }

    private static FullHttpResponse ready() {
        Readiness found = Readiness.look();
        HttpResponseStatus status = found.isReady() ? HttpResponseStatus.OK : HttpResponseStatus.SERVICE_UNAVAILABLE;
        return Answers.json(status, found.document());
    }

    private static String path(String uri) {
        try {
            return new QueryStringDecoder(uri).path();
        } catch (IllegalArgumentException malformed) {
            return ""; // TorchServe says what is wrong with it
        }
    }
}
