package inkserve;

import io.netty.channel.Channel;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.http.HttpContentDecompressor;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.cors.CorsHandler;
import org.pytorch.serve.util.ConnectorType;

/** Adds this package's handlers to each HTTP connection of TorchServe. */
public final class Pipeline {
    static {
        Readiness.noteStart();
    }

    private Pipeline() {}

    /** Called at the end of ServerInitializer.initChannel. */
    public static void extend(Channel channel, ConnectorType type) {
        if (Drain.isClosed()) {
            // The listening channel stays open: when it closes, TorchServe's main thread ends at once
            channel.close();
            return;
        }
        ChannelPipeline pipeline = channel.pipeline();
        String aggregator = pipeline.context(HttpObjectAggregator.class).name();
        Guard guard = new Guard(type);
        pipeline.addBefore(aggregator, "guard", guard);
        pipeline.addBefore(aggregator, "unpacker", new HttpContentDecompressor());
        pipeline.addBefore(aggregator, "body", guard.new Body());
        pipeline.addBefore(pipeline.context(HttpServerCodec.class).name(), "first byte", guard.new FirstByte());
        if (type == ConnectorType.INFERENCE_CONNECTOR || type == ConnectorType.ALL) {
            pipeline.addAfter(aggregator, "routes", new Routes());
            if (Cors.CONFIG != null) {
                pipeline.addBefore("guard", "cors", new CorsHandler(Cors.CONFIG));
            }
        }
    }
}
