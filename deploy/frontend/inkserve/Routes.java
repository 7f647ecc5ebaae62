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

/** Answers the addresses of the inference port that TorchServe does not have; passes on the others. */
final class Routes extends ChannelInboundHandlerAdapter {
    private static final String QUERY_HEADER = "url_query"; // handwriting.parsing reads it

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

    /** TorchServe drops the query of a prediction: it becomes a header, as TorchServe does with the rest of a path. */
    private static void translate(FullHttpRequest request) {
        request.headers().remove(QUERY_HEADER); // a client's own would be taken for it
        int start = request.uri().indexOf('?');
        boolean isDropped = !request.uri().startsWith("/invocations"); // there TorchServe passes it on
        if (start >= 0 && isDropped && Target.of(request.uri()) != null) {
            request.headers().set(QUERY_HEADER, request.uri().substring(start + 1));
        }
    }

    /** Null for an address of TorchServe. */
    private static FullHttpResponse answer(FullHttpRequest request) {
        boolean isGet = request.method().equals(HttpMethod.GET) || request.method().equals(HttpMethod.HEAD);
        if (!request.decoderResult().isSuccess() || !isGet) {
            return null;
        }
        return path(request.uri()).equals("/ready") ? ready() : null;
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
