package inkserve;

import io.prometheus.client.Counter;
import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;

/** A token of the tokens file, and how many requests with it are in flight. */
final class NamedToken {
    /** What a token opens. */
    enum Api {
        PREDICTIONS,
        MANAGEMENT
    }

    private static final Counter REQUESTS = Counter.build()
            .name("inkserve_token_requests_total")
            .help("Answers to requests with a named token, by status")
            .labelNames("token", "status")
            .register();

    final String name;
    final byte[] digest; // SHA-256 of the token
    final Api api;
    final int mostInFlight;
    private final AtomicInteger inFlight = new AtomicInteger();

    NamedToken(String name, byte[] digest, Api api, int mostInFlight) {
        this.name = name;
        this.digest = digest;
        this.api = api;
        this.mostInFlight = mostInFlight;
    }

    /** Takes a place for a request; false if all are taken. */
    boolean begin() {
        if (inFlight.incrementAndGet() <= mostInFlight) {
            return true;
        }
        inFlight.decrementAndGet();
        return false;
    }

    void end() {
        inFlight.decrementAndGet();
    }

    void count(int status) {
        REQUESTS.labels(name, Integer.toString(status)).inc();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof NamedToken
                && ((NamedToken) other).name.equals(name)
                && Arrays.equals(((NamedToken) other).digest, digest)
                && ((NamedToken) other).api == api
                && ((NamedToken) other).mostInFlight == mostInFlight;
    }

    @Override
    public int hashCode() {
        return Objects.hash(name);
    }
}
