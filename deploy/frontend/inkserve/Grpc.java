package inkserve;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.nio.charset.StandardCharsets;
import org.pytorch.serve.archive.model.ModelNotFoundException;
import org.pytorch.serve.archive.model.ModelVersionNotFoundException;
import org.pytorch.serve.grpc.inference.PredictionsRequest;
import org.pytorch.serve.http.BadRequestException;
import org.pytorch.serve.http.InternalServerException;
import org.pytorch.serve.job.Job;
import org.pytorch.serve.util.ConfigManager;
import org.pytorch.serve.util.GRPCUtils;
import org.pytorch.serve.util.messages.WorkerCommands;

/** Predictions over gRPC: counts them, and mends errors, which TorchServe answers with OK and the error as prediction, or INTERNAL. */
public final class Grpc {
    static final int MESSAGE_LIMITS = 4;
    private static final int FIRST_ERROR = 400;
    private static final int UNSUPPORTED_MEDIA = 415;

    private Grpc() {}

    /** Called at the start of GRPCJob.response: counts the answer; true if a handler's error was sent, and nothing else is to be. */
    public static boolean refused(Job job, StreamObserver<?> observer, byte[] body, int status) {
        boolean isPrediction = job.getCmd() == WorkerCommands.PREDICT || job.getCmd() == WorkerCommands.STREAMPREDICT;
        if (isPrediction) {
            Latency.answered(job, status);
        }
        if (status < FIRST_ERROR || !isPrediction) {
            return false;
        }
        if (!((ServerCallStreamObserver<?>) observer).isCancelled()) {
            Status code = status == UNSUPPORTED_MEDIA ? Status.INVALID_ARGUMENT : GRPCUtils.getGRPCStatusCode(status);
            observer.onError(code.withDescription(message(body)).asRuntimeException());
        }
        return true;
    }

    /**
     * Called at the start of InferenceImpl.prediction: true if a message over the limit was refused. The limit of gRPC itself,
     * over which it resets the stream without a word, is MESSAGE_LIMITS times as large.
     */
    public static boolean isTooLarge(PredictionsRequest request, StreamObserver<?> observer) {
        int limit = ConfigManager.getInstance().getMaxRequestSize();
        if (request.getSerializedSize() <= limit) {
            return false;
        }
        String message = "ImageTooLarge: the message is too large; wanted at most " + limit + " bytes";
        observer.onError(Status.RESOURCE_EXHAUSTED.withDescription(message).asRuntimeException());
        return true;
    }

    /** Called at the start of InferenceImpl.sendErrorResponse: a better status than the given one. */
    public static Status status(Status given, Exception cause) {
        if (cause instanceof BadRequestException) {
            return Status.INVALID_ARGUMENT;
        }
        if (cause instanceof ModelNotFoundException || cause instanceof ModelVersionNotFoundException) {
            return Status.NOT_FOUND;
        }
        return cause instanceof InternalServerException ? Status.UNAVAILABLE : given; // no worker, or a full queue
    }

    private static String message(byte[] body) {
        String text = new String(body, StandardCharsets.UTF_8);
        try {
            JsonObject error = JsonParser.parseString(text).getAsJsonObject();
            return error.get("type").getAsString() + ": " + error.get("message").getAsString();
        } catch (JsonParseException | IllegalStateException | NullPointerException | UnsupportedOperationException other) {
            return text;
        }
    }
}
