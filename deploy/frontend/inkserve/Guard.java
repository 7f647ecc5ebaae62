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
import io.netty.handler.codec.DecoderException;
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
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.pytorch.serve.util.ConfigManager;
import org.pytorch.serve.util.ConnectorType;

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
 *   <li>A request over the bound of its token is refused with 429.
 *   <li>A body that is not packed as it says, or in a way that is not known, is refused.
 *   <li>An incomplete request times out after REQUEST_TIMEOUT_S, and its connection is closed. An idle
 *       connection stays open.
 *   <li>Requests that are read and not yet answered are counted, for {@link Drain}; their times for {@link Latency}.
 * </ul>
 */
final class Guard extends ChannelDuplexHandler {
    private static final long REQUEST_TIMEOUT_S = Long.getLong("inkserve.request.timeout.s", 30);
    private static final long MOST_BYTES = Long.getLong("inkserve.requests.bytes", 128 << 20); // of all bodies together
    private static final AtomicLong HELD_BYTES = new AtomicLong();
    private static final int MOST_PARTS = 2048; // of a form; a request has at most 1,024 pictures
    private static final ByteBuf PART = Unpooled.unreleasableBuffer(Unpooled.copiedBuffer("\r\n--", StandardCharsets.US_ASCII));
    private static final int LONGEST_MESSAGE = 200; // characters of a parser's message
    private static final Set<String> PACKINGS = Set.of("", "identity", "gzip", "x-gzip", "deflate", "x-deflate");
    private static final int RETRY_AFTER_S = 1;

    private final ConnectorType type;
    private final Deque<Exchange> unanswered = new ArrayDeque<>(); // complete requests; used by the connection's thread only
    private Exchange current; // the request that is being read
    private boolean isReading; // whether TorchServe handles a part of a request right now, in this thread
    private long heldBytes; // of the requests of this connection, until they are answered
    private boolean isClosing; // the rest of the request is dropped
    private boolean isForm; // whether the current request is a form
    private int parts; // of the current form, so far
    private boolean isRefused; // the current request was answered before its end
    private Future<?> timeout;
    private ChannelHandlerContext own;

    Guard(ConnectorType type) {
        this.type = type;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        own = context;
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
        expectRequest(context);
        context.fireChannelActive();
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        if (message instanceof HttpRequest && !isClosing) {
            begin((HttpRequest) message);
        }
        if (isClosing) {
            ReferenceCountUtil.release(message);
            if (message instanceof LastHttpContent) {
                context.close(); // not before: a client that still sends would not see the answer
            }
            return;
        }
        isReading = true;
        try {
            context.fireChannelRead(message);
        } finally {
            isReading = false;
        }
        if (isClosing && message instanceof LastHttpContent) {
            context.close();
        }
    }

    private void begin(HttpRequest request) {
        String kind = request.headers().get(HttpHeaderNames.CONTENT_TYPE, "");
        isForm = kind.toLowerCase(Locale.ROOT).contains("multipart");
        parts = 0;
        isRefused = false;
        current = Exchange.begin(request, type);
        String packing = request.headers().get(HttpHeaderNames.CONTENT_ENCODING, "").trim().toLowerCase(Locale.ROOT);
        if (current.isTooMany()) {
            FullHttpResponse refusal =
                    Answers.error(HttpResponseStatus.TOO_MANY_REQUESTS, "TooManyRequests", current.reason());
            refusal.headers().set(HttpHeaderNames.RETRY_AFTER, RETRY_AFTER_S);
            refuse(refusal);
        } else if (!PACKINGS.contains(packing)) {
            String message = "the body's Content-Encoding is " + shortened(packing) + "; wanted gzip, deflate or none";
            refuse(Answers.error(HttpResponseStatus.UNSUPPORTED_MEDIA_TYPE, "UnsupportedMedia", message));
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
        int status = response.status().code();
        boolean isAnswer = !unanswered.isEmpty(); // otherwise it refuses an incomplete request
        Exchange exchange = isAnswer ? unanswered.poll() : current;
        if (!isAnswer) {
            isRefused = true;
            current = null;
        }
        context.write(response, promise.unvoid()).addListener(written -> {
            if (exchange != null) {
                exchange.answered(status);
            }
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
        Drain.ended(unanswered.size()); // no client waits for their answers
        unanswered.forEach(Exchange::end);
        unanswered.clear();
        if (current != null) {
            current.end();
            current = null;
        }
        context.fireChannelInactive();
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
    private void refuse(FullHttpResponse refusal) {
        isClosing = true;
        letGo();
        refusal.headers().set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
        current.answered(refusal.status().code());
        current = null;
        own.writeAndFlush(refusal); // past `write`, which is for TorchServe's answers
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

    /** Runs after the body is unpacked, and before it is put together. */
    final class Body extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            if (isClosing || message instanceof HttpContent && !isWelcome(((HttpContent) message).content())) {
                ReferenceCountUtil.release(message);
                return;
            }
            if (message instanceof LastHttpContent) {
                stopWaiting();
                if (!isRefused && current != null) {
                    current.complete();
                    unanswered.add(current);
                    Drain.begun();
                }
                current = null;
            }
            context.fireChannelRead(message instanceof HttpContent ? direct(context, (HttpContent) message) : message);
        }

        /**
         * Moves an unpacked piece out of Java's heap. Of a buffer with an array, TorchServe takes the whole array, which
         * holds other requests as well.
         */
        private HttpContent direct(ChannelHandlerContext context, HttpContent message) {
            ByteBuf piece = message.content();
            if (!piece.hasArray() || !piece.isReadable()) {
                return message;
            }
            ByteBuf copy = context.alloc().directBuffer(piece.readableBytes()).writeBytes(piece);
            HttpContent moved = message.replace(copy);
            piece.release();
            return moved;
        }

        /** Counts a chunk of a body; refuses the request and returns false if it is too much. */
        private boolean isWelcome(ByteBuf piece) {
            if (isRefused || current == null) {
                return true; // Netty drops it
            }
            current.received(piece.readableBytes());
            heldBytes += piece.readableBytes();
            if (HELD_BYTES.addAndGet(piece.readableBytes()) > MOST_BYTES && piece.isReadable()) {
                refuse(Answers.error(
                        HttpResponseStatus.SERVICE_UNAVAILABLE,
                        "ServiceUnavailableException",
                        "too many large requests are on their way; try again later"));
            } else if (isForm && (parts += countParts(piece)) > MOST_PARTS) {
                String message = String.format(Locale.ROOT, "the form has over %,d parts; wanted 1 to 1,024 pictures", MOST_PARTS);
                refuse(Answers.error(HttpResponseStatus.BAD_REQUEST, "InvalidRequest", message));
            }
            return !isClosing;
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            if (cause instanceof IOException) {
                context.close(); // the client reset the connection, as a balancer's check does: no error to log
            } else if (!(cause instanceof DecoderException)) {
                context.fireExceptionCaught(cause);
            } else if (current != null && !isClosing) {
                String message = "the body is not packed as its Content-Encoding says: " + shortened(cause.getMessage());
                refuse(Answers.error(HttpResponseStatus.BAD_REQUEST, "InvalidRequest", message));
            }
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
        String message = "the request cannot be read: " + shortened(fault);
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

    private static String shortened(String message) {
        return message == null ? "" : message.substring(0, Math.min(message.length(), LONGEST_MESSAGE));
    }

    private static FullHttpResponse replaced(
            FullHttpResponse response, HttpResponseStatus status, String type, String message) {
        FullHttpResponse better = Answers.error(status, type, message);
        HttpHeaders changed = better.headers().copy();
        better.headers().set(response.headers()).setAll(changed);
        response.release();
        return better;
    }
}
