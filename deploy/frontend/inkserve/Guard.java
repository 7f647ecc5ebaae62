package inkserve;

import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.pytorch.serve.util.ConfigManager;

/**
 * Handles each HTTP connection between the HTTP codec and TorchServe.
 *
 * <ul>
 *   <li>A malformed request, such as a broken form, is answered with 400. TorchServe itself answers 500 when one of its
 *       parsers fails while it reads the request.
 *   <li>Netty's own errors, such as that for a request that is too large, get a body.
 *   <li>While all requests together hold more than MOST_BYTES, further ones are refused with 503. Otherwise Java would run
 *       out of memory, and the server would die.
 *   <li>A form with more than MOST_PARTS is refused, as parsing it would take seconds.
 *   <li>An incomplete request times out after REQUEST_TIMEOUT_S, and its connection is closed. An idle
 *       connection stays open.
 *   <li>Requests that are read and not yet answered are counted, for {@link Drain}.
 * </ul>
 */
final class Guard extends ChannelDuplexHandler {
    private static final long REQUEST_TIMEOUT_S = Long.getLong("inkserve.request.timeout.s", 30);
    private static final long MOST_BYTES = Long.getLong("inkserve.requests.bytes", 128 << 20); // of all bodies together
    private static final AtomicLong HELD_BYTES = new AtomicLong();
    private static final int MOST_PARTS = 2048; // of a form; a request has at most 1,024 pictures
    private static final ByteBuf PART = Unpooled.unreleasableBuffer(Unpooled.copiedBuffer("\r\n--", StandardCharsets.US_ASCII));
    private static final int LONGEST_MESSAGE = 200; // characters of a parser's message

    private boolean isReading; // whether TorchServe handles a part of a request right now, in this thread
    private int inFlight; // requests of this connection; used by its own thread only
    private long heldBytes; // of the requests of this connection, until they are answered
    private boolean isClosing; // the rest of the request is dropped
    private boolean isForm; // whether the current request is a form
    private int parts; // of the current form, so far
    private boolean isRefused; // the current request was answered before its end
    private Future<?> timeout;

    @Override
    public void channelActive(ChannelHandlerContext context) {
        expectRequest(context);
        context.fireChannelActive();
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        if (message instanceof HttpRequest) {
            String kind = ((HttpRequest) message).headers().get(HttpHeaderNames.CONTENT_TYPE, "");
            isForm = kind.toLowerCase(Locale.ROOT).contains("multipart");
            parts = 0;
        }
        if (isClosing || message instanceof HttpContent && !isWelcome(context, ((HttpContent) message).content())) {
            ReferenceCountUtil.release(message);
            if (message instanceof LastHttpContent) {
                context.close(); // not before: a client that still sends would not see the answer
            }
            return;
        }
        if (message instanceof LastHttpContent) {
            stopWaiting();
            if (!isRefused) {
                inFlight++;
                Drain.begun();
            }
            isRefused = false;
        }
        isReading = true;
        try {
            context.fireChannelRead(message);
        } finally {
            isReading = false;
        }
    }

    @Override
    public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
        if (!(message instanceof HttpResponse) || isInformation((HttpResponse) message)) {
            context.write(message, promise);
            return;
        }
        HttpResponse response = (HttpResponse) message;
        if (response instanceof FullHttpResponse) {
            response = improve((FullHttpResponse) response);
        }
        if (Drain.isDraining()) {
            response.headers().set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
        }
        boolean isAnswer = inFlight > 0; // otherwise it refuses an incomplete request
        if (isAnswer) {
            inFlight--;
        } else {
            isRefused = true;
        }
        context.write(response, promise.unvoid()).addListener(written -> {
            if (isAnswer) {
                Drain.ended(1);
                letGo();
            }
            if (Drain.isDraining()) {
                context.close();
            }
        });
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
        stopWaiting();
        letGo();
        Drain.ended(inFlight); // no client waits for their answers
        inFlight = 0;
        context.fireChannelInactive();
    }

    /** Counts a chunk of a body; refuses the request and returns false if it is too much. */
    private boolean isWelcome(ChannelHandlerContext context, ByteBuf piece) {
        if (isRefused) {
            return true; // Netty drops it
        }
        heldBytes += piece.readableBytes();
        if (HELD_BYTES.addAndGet(piece.readableBytes()) > MOST_BYTES && piece.isReadable()) {
            refuse(
                    context,
                    HttpResponseStatus.SERVICE_UNAVAILABLE,
                    "ServiceUnavailableException",
                    "too many large requests are on their way; try again later");
        } else if (isForm && (parts += countParts(piece)) > MOST_PARTS) {
            String message = String.format(Locale.ROOT, "the form has over %,d parts; wanted 1 to 1,024 pictures", MOST_PARTS);
            refuse(context, HttpResponseStatus.BAD_REQUEST, "InvalidRequest", message);
        }
        return !isClosing;
    }

    /** Counts the boundaries in a form. The few that lie across two chunks do not matter here. */
    private static int countParts(ByteBuf piece) {
        int count = 0;
        int from = piece.readerIndex();
        int found = ByteBufUtil.indexOf(PART, piece);
        while (found >= 0) {
            count++;
            from = found + PART.readableBytes();
            found = ByteBufUtil.indexOf(PART, piece.slice(from, piece.writerIndex() - from));
            found = found < 0 ? found : from + found;
        }
        return count;
    }

    /** Answers before the request is complete; the connection closes when it is, or after the timeout. */
    private void refuse(ChannelHandlerContext context, HttpResponseStatus status, String type, String message) {
        isClosing = true;
        letGo();
        FullHttpResponse refusal = Answers.error(status, type, message);
        refusal.headers().set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
        context.writeAndFlush(refusal);
    }

    private void letGo() {
        HELD_BYTES.addAndGet(-heldBytes);
        heldBytes = 0;
    }

    private void expectRequest(ChannelHandlerContext context) {
        if (timeout == null) {
            timeout = context.executor().schedule(() -> context.close(), REQUEST_TIMEOUT_S, TimeUnit.SECONDS);
        }
    }

    private void stopWaiting() {
        if (timeout != null) {
            timeout.cancel(false);
            timeout = null;
        }
    }

    /** Runs before the codec, which sees a request only when its headers are complete. */
    final class FirstByte extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            expectRequest(context);
            context.fireChannelRead(message);
        }
    }

    private static boolean isInformation(HttpResponse response) {
        return response.status().code() < HttpResponseStatus.OK.code(); // 100: continue
    }

    private FullHttpResponse improve(FullHttpResponse response) {
        HttpResponseStatus status = response.status();
        if (status.code() >= HttpResponseStatus.BAD_REQUEST.code() && !response.content().isReadable()) {
            int limit = ConfigManager.getInstance().getMaxRequestSize();
            return status.equals(HttpResponseStatus.REQUEST_ENTITY_TOO_LARGE)
                    ? replaced(response, status, "ImageTooLarge", "the body is too large; wanted at most " + limit + " bytes")
                    : replaced(response, status, "BadRequestException", status.reasonPhrase());
        }
        if (!isReading || !isParsersFault(response)) {
            return response;
        }
        String fault = text(response, "message").lines().findFirst().orElse("");
        String message = "the request cannot be read: " + fault.substring(0, Math.min(fault.length(), LONGEST_MESSAGE));
        return replaced(response, HttpResponseStatus.BAD_REQUEST, "InvalidRequest", message);
    }

    private static boolean isParsersFault(FullHttpResponse response) {
        String type = text(response, "type");
        int status = response.status().code();
        boolean isServers = type.startsWith("Internal") || type.endsWith("Error"); // a worker's error, or out of memory
        return status == 500 && !isServers || status == 403 && type.equals("IllegalArgumentException");
    }

    private static String text(FullHttpResponse response, String name) {
        try {
            String body = response.content().toString(StandardCharsets.UTF_8);
            return JsonParser.parseString(body).getAsJsonObject().get(name).getAsString();
        } catch (JsonParseException | IllegalStateException | NullPointerException | UnsupportedOperationException none) {
            return "";
        }
    }

    private static FullHttpResponse replaced(
            FullHttpResponse response, HttpResponseStatus status, String type, String message) {
        FullHttpResponse better = Answers.error(status, type, message);
        HttpHeaders own = better.headers().copy();
        better.headers().set(response.headers()).setAll(own);
        response.release();
        return better;
    }
}
