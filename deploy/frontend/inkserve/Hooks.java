package inkserve;

import groovyjarjarasm.asm.ClassReader;
import groovyjarjarasm.asm.ClassVisitor;
import groovyjarjarasm.asm.ClassWriter;
import groovyjarjarasm.asm.Label;
import groovyjarjarasm.asm.MethodVisitor;
import groovyjarjarasm.asm.Opcodes;
import java.lang.instrument.ClassFileTransformer;
import java.security.ProtectionDomain;
import java.util.Map;
import java.util.function.UnaryOperator;

/** The calls into this package that are added to TorchServe's classes, by class and method. */
final class Hooks implements ClassFileTransformer {
    private static final String SERVE = "org/pytorch/serve/";

    private static final String OBSERVER = "Lio/grpc/stub/StreamObserver;";
    private static final String STATUS = "Lio/grpc/Status;";
    private static final String TOKEN_TYPE = "L" + SERVE + "util/TokenAuthorization$TokenType;";

    /** By class and method, what wraps the writer of the method. */
    private static final Map<String, Map<String, UnaryOperator<MethodVisitor>>> HOOKS = Map.of(
            SERVE + "ServerInitializer", Map.of("initChannel", method -> new AtEnd(method) {
                @Override
                void call() {
                    visitVarInsn(Opcodes.ALOAD, 1); // the channel
                    visitVarInsn(Opcodes.ALOAD, 0);
                    String kind = "L" + SERVE + "util/ConnectorType;";
                    visitFieldInsn(Opcodes.GETFIELD, SERVE + "ServerInitializer", "connectorType", kind);
                    callStatic("Pipeline", "extend", "(Lio/netty/channel/Channel;" + kind + ")V");
                }
            }),
            SERVE + "job/Job", Map.of("setScheduled", method -> new AtEnd(method) {
                @Override
                void call() {
                    visitVarInsn(Opcodes.ALOAD, 0);
                    callStatic("Latency", "scheduled", "(L" + SERVE + "job/Job;)V");
                }
            }),
            SERVE + "wlm/Model", Map.of("pollBatch", method -> new AtEnd(method) {
                @Override
                void call() {
                    visitVarInsn(Opcodes.ALOAD, 0);
                    visitVarInsn(Opcodes.ALOAD, 4); // the batch; a time in ms, as a long, takes two places
                    callStatic("Batching", "taken", "(L" + SERVE + "wlm/Model;Ljava/util/Map;)V");
                }

                @Override
                public void visitFieldInsn(int opcode, String owner, String name, String type) {
                    if (name.equals("maxBatchDelay")) {
                        callStatic("Batching", "delayMs", "(L" + SERVE + "wlm/Model;)I"); // of the object on the stack
                    } else {
                        super.visitFieldInsn(opcode, owner, name, type);
                    }
                }
            }),
            SERVE + "wlm/WorkerLifeCycle", Map.of("setSuccess", method -> new AtStart(method) {
                @Override
                void call() {
                    visitVarInsn(Opcodes.ALOAD, 0);
                    visitVarInsn(Opcodes.ILOAD, 1); // whether it has started
                    callStatic("Ended", "note", "(L" + SERVE + "wlm/WorkerLifeCycle;Z)V");
                }
            }),
            SERVE + "util/ApiUtils", Map.of(
                    "updateModelWorkers", method -> new AtStart(method) {
                        @Override
                        void call() {
                            visitVarInsn(Opcodes.ILOAD, 2); // least; the method is static
                            visitVarInsn(Opcodes.ILOAD, 3); // most
                            callStatic("Scaling", "check", "(II)V");
                        }
                    },
                    "registerModel", method -> new AtStart(method) {
                        @Override
                        void call() {
                            visitVarInsn(Opcodes.ALOAD, 0);
                            callStatic("Scaling", "check", "(L" + SERVE + "http/messages/RegisterModelRequest;)V");
                        }
                    }),
            SERVE + "job/GRPCJob", Map.of("response", method -> new AtStart(method) {
                @Override
                void call() {
                    visitVarInsn(Opcodes.ALOAD, 0);
                    visitVarInsn(Opcodes.ALOAD, 0);
                    visitFieldInsn(Opcodes.GETFIELD, SERVE + "job/GRPCJob", "predictionResponseObserver", OBSERVER);
                    visitVarInsn(Opcodes.ALOAD, 1); // the body
                    visitVarInsn(Opcodes.ILOAD, 3); // the status
                    callStatic("Grpc", "refused", "(L" + SERVE + "job/Job;" + OBSERVER + "[BI)Z");
                    returnIfTrue(Opcodes.RETURN);
                }
            }),
            SERVE + "grpcimpl/InferenceImpl", Map.of(
                    "sendErrorResponse", method -> new AtStart(method) {
                        @Override
                        void call() {
                            visitVarInsn(Opcodes.ALOAD, 2); // the status
                            visitVarInsn(Opcodes.ALOAD, 3); // the exception
                            callStatic("Grpc", "status", "(" + STATUS + "Ljava/lang/Exception;)" + STATUS);
                            visitVarInsn(Opcodes.ASTORE, 2);
                        }
                    },
                    "prediction", method -> new AtStart(method) {
                        @Override
                        void call() {
                            visitVarInsn(Opcodes.ALOAD, 1); // the request
                            visitVarInsn(Opcodes.ALOAD, 2); // the observer
                            String request = "L" + SERVE + "grpc/inference/PredictionsRequest;";
                            callStatic("Grpc", "isTooLarge", "(" + request + OBSERVER + ")Z");
                            returnIfTrue(Opcodes.RETURN);
                        }
                    }),
            SERVE + "ModelServer", Map.of("startGRPCServer", method -> new MethodVisitor(Opcodes.ASM9, method) {
                @Override
                public void visitMethodInsn(int opcode, String owner, String name, String type, boolean isInterface) {
                    if (name.equals("maxInboundMessageSize")) {
                        visitIntInsn(Opcodes.BIPUSH, Grpc.MESSAGE_LIMITS);
                        visitInsn(Opcodes.IMUL);
                    }
                    super.visitMethodInsn(opcode, owner, name, type, isInterface);
                }
            }),
            SERVE + "http/api/rest/ManagementRequestHandler", Map.of(
                    "handleScaleModel", Hooks::checkedQuery, "handleRegisterModel", Hooks::checkedQuery),
            SERVE + "util/TokenAuthorization", Map.of("checkTokenAuthorization", method -> new AtStart(method) {
                @Override
                void call() {
                    visitVarInsn(Opcodes.ALOAD, 0); // the token; the method is static
                    visitVarInsn(Opcodes.ALOAD, 1);
                    callStatic("Tokens", "isValid", "(Ljava/lang/String;" + TOKEN_TYPE + ")Z");
                    returnIfTrue(Opcodes.ICONST_1, Opcodes.IRETURN);
                }
            }));

    private static MethodVisitor checkedQuery(MethodVisitor method) {
        return new AtStart(method) {
            @Override
            void call() {
                visitVarInsn(Opcodes.ALOAD, 2); // the decoder of the query
                callStatic("Scaling", "check", "(Lio/netty/handler/codec/http/QueryStringDecoder;)V");
            }
        };
    }

    @Override
    public byte[] transform(ClassLoader loader, String name, Class<?> redefined, ProtectionDomain domain, byte[] bytes) {
        Map<String, UnaryOperator<MethodVisitor>> methods = name == null ? null : HOOKS.get(name);
        if (methods == null) {
            return null; // unchanged
        }
        ClassReader reader = new ClassReader(bytes);
        ClassWriter writer = new ClassWriter(reader, ClassWriter.COMPUTE_MAXS);
        reader.accept(new ClassVisitor(Opcodes.ASM9, writer) {
            @Override
            public MethodVisitor visitMethod(int access, String method, String type, String signature, String[] throwing) {
                MethodVisitor visitor = super.visitMethod(access, method, type, signature, throwing);
                return methods.containsKey(method) ? methods.get(method).apply(visitor) : visitor;
            }
        }, 0);
        return writer.toByteArray();
    }

    /** Writes a method with an added call. */
    private abstract static class Caller extends MethodVisitor {
        Caller(MethodVisitor next) {
            super(Opcodes.ASM9, next);
        }

        /** Writes the call. */
        abstract void call();

        /** Returns from the method if the called one has returned true. */
        void returnIfTrue(int... instructions) {
            Label otherwise = new Label();
            visitJumpInsn(Opcodes.IFEQ, otherwise);
            for (int each : instructions) {
                super.visitInsn(each);
            }
            visitLabel(otherwise);
            visitFrame(Opcodes.F_SAME, 0, null, 0, null);
        }

        void callStatic(String owner, String name, String type) {
            visitMethodInsn(Opcodes.INVOKESTATIC, "inkserve/" + owner, name, type, false);
        }
    }

    /** Adds the call before all else. */
    private abstract static class AtStart extends Caller {
        AtStart(MethodVisitor next) {
            super(next);
        }

        @Override
        public void visitCode() {
            super.visitCode();
            call();
        }
    }

    /** Adds the call before each return of a method that returns nothing. */
    private abstract static class AtEnd extends Caller {
        AtEnd(MethodVisitor next) {
            super(next);
        }

        @Override
        public void visitInsn(int opcode) {
            if (opcode == Opcodes.RETURN) {
                call();
            }
            super.visitInsn(opcode);
        }
    }
}
