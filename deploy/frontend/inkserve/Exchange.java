package inkserve;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpRequest;
import org.pytorch.serve.util.ConnectorType;

/** A request, from its first line to its answer; used by the thread of its connection only. */
final class Exchange {
    private final Target target; // null if it asks no recogniser
    private final NamedToken token; // null without one of the tokens file
    private boolean hasPlace; // among the requests in flight of its token
    private long bytes;
    private long readAt; // ns; 0 until it is complete

    private Exchange(Target target, NamedToken token) {
        this.target = target;
        this.token = token;
    }

    static Exchange begin(HttpRequest request, ConnectorType type) {
        boolean isInference = type != ConnectorType.MANAGEMENT_CONNECTOR && type != ConnectorType.METRICS_CONNECTOR;
        NamedToken token = Tokens.ofHeader(request.headers().get(HttpHeaderNames.AUTHORIZATION));
        Exchange exchange = new Exchange(isInference ? Target.of(request.uri()) : null, token);
        exchange.hasPlace = exchange.target != null && token != null && token.begin();
        return exchange;
    }

    /** Whether its token has as many requests in flight as it may. */
    boolean isTooMany() {
        return target != null && token != null && !hasPlace;
    }

    String reason() {
        return String.format("the token %s has %d requests in flight, which is its bound", token.name, token.mostInFlight);
    }

    void received(int more) {
        bytes += more;
    }

    /** Its last byte was read. */
    void complete() {
        readAt = System.nanoTime();
        if (target != null) {
            Latency.begun();
        }
    }

    /** Its answer was written. */
    void answered(int status) {
        if (token != null) {
            token.count(status);
        }
        if (target != null && readAt != 0) {
            Latency.answered(target.model, target.version, status, bytes, System.nanoTime() - readAt);
        }
        end();
    }

    /** It gets no answer, or its answer was counted. */
    void end() {
        if (target != null && readAt != 0) {
            Latency.ended();
            readAt = 0; // once
        }
        if (hasPlace) {
            hasPlace = false;
            token.end();
        }
    }
}
