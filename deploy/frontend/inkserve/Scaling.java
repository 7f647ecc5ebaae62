package inkserve;

import io.netty.handler.codec.http.QueryStringDecoder;
import java.util.List;
import org.pytorch.serve.http.BadRequestException;
import org.pytorch.serve.http.messages.RegisterModelRequest;

/**
 * Refuses a wrong number of workers before anything is changed.
 *
 * <p>TorchServe takes what is no number for 1, -1 as it is, and any other number: 100,000 workers take all memory.
 */
public final class Scaling {
    private static final int MOST_WORKERS =
            Setting.wholeNumber("MAX_WORKERS", 4 * Runtime.getRuntime().availableProcessors(), 100_000);
    private static final List<String> NUMBERS = List.of("min_worker", "max_worker", "initial_workers");

    private Scaling() {}

    /** A wrong setting is an error at the start. */
    static void check() {} // the class is initialised

    /** Called at the start of handleScaleModel and handleRegisterModel of ManagementRequestHandler. */
    public static void check(QueryStringDecoder query) {
        for (String name : NUMBERS) {
            for (String text : query.parameters().getOrDefault(name, List.of())) {
                if (!text.matches("[0-9]{1,6}") || Integer.parseInt(text) > MOST_WORKERS) {
                    throw refusal(name + " is '" + text + "'");
                }
            }
        }
    }

    /** Called at the start of ApiUtils.updateModelWorkers, for gRPC. */
    public static void check(int least, int most) {
        for (int each : new int[] {least, most}) {
            if (each < 0 || each > MOST_WORKERS) {
                throw refusal("the number of workers is " + each);
            }
        }
    }

    /** Called at the start of ApiUtils.registerModel, for gRPC and for JSON. */
    public static void check(RegisterModelRequest request) {
        check(request.getInitialWorkers(), request.getInitialWorkers());
    }

    private static BadRequestException refusal(String found) {
        String wanted = "; wanted a whole number from 0 to " + MOST_WORKERS + ", which MAX_WORKERS sets";
        return new BadRequestException(found + wanted);
    }
}
